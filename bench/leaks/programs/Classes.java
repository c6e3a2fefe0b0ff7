// A JVM that makes classes as frameworks do, each by a loader of its own: `Classes ok|leak`.
import java.lang.reflect.Proxy;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.*;

public class Classes {
    static final List<Object> KEPT = new ArrayList<>();

    public interface Called {
        String call(String text);
    }

    public static void main(String[] args) throws Exception {
        boolean keeps = args[0].equals("leak");
        for (int turn = 0; ; turn++) {
            Object made = Proxy.newProxyInstance(loader(), new Class<?>[] {Runnable.class, Comparable.class}, (it, method, with) -> 0);
            if (keeps) KEPT.add(made);
            byte[] scratch = new byte[20_000 + turn % 1_000];
            Thread.sleep(20);
        }
    }

    static ClassLoader loader() {
        return new URLClassLoader(new URL[0], Classes.class.getClassLoader());
    }
}
