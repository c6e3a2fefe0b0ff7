// A JVM under its own load: `Work churn|cache|leak|late|compile`. One turn each 10 ms.
import java.util.*;

public class Work {
    static final Map<String, byte[]> KEPT = new HashMap<>();

    public static void main(String[] args) throws Exception {
        String kind = args[0];
        Random random = new Random(7);
        LinkedHashMap<Integer, byte[]> cache = new LinkedHashMap<>() {
            protected boolean removeEldestEntry(Map.Entry<Integer, byte[]> eldest) {
                return size() > 3000;
            }
        };
        long began = System.currentTimeMillis();
        for (int turn = 0; ; turn++) {
            List<byte[]> scratch = new ArrayList<>();
            for (int i = 0; i < 30; i++) scratch.add(new byte[random.nextInt(8000)]);
            long age = System.currentTimeMillis() - began;
            if (kind.equals("cache")) cache.put(turn, new byte[24_000]);
            if (kind.equals("leak")) KEPT.put("session " + turn, new byte[8_000]);
            if (kind.equals("late") && age > 180_000) KEPT.put("session " + turn, new byte[10_000]);
            Thread.sleep(10);
        }
    }
}
