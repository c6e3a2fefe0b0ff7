// Programs on the JVM that need no load: `Turns KIND`, one turn each 20 ms. Kinds from `static` on leak.
import java.lang.ref.SoftReference;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.concurrent.*;

public class Turns {
    static final Random RANDOM = new Random(7);
    static final List<Object> KEPT = new ArrayList<>();
    static final Map<Integer, Object> CACHE = new ConcurrentHashMap<>();
    static final ThreadLocal<List<byte[]>> OWN = ThreadLocal.withInitial(ArrayList::new);

    public static void main(String[] args) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        LinkedHashMap<Integer, byte[]> lru = new LinkedHashMap<>(16, 0.75f, true) {
            protected boolean removeEldestEntry(Map.Entry<Integer, byte[]> eldest) {
                return size() > 2000;
            }
        };
        for (int turn = 0; ; turn++) {
            List<byte[]> scratch = new ArrayList<>();
            for (int i = args[0].equals("quiet") ? 27 : 0; i < 30; i++) scratch.add(new byte[RANDOM.nextInt(8_000)]);
            switch (args[0]) {
                case "lru" -> lru.put(turn, block(30_000));                              // full after 40 s
                case "soft" -> CACHE.put(turn, new SoftReference<>(block(20_000)));      // until the heap is full
                case "batch" -> { if (turn % 400 == 399) batch(); }
                case "churn" -> { for (int i = 0; i < 20; i++) scratch.add(block(20_000)); }
                case "quiet" -> scratch.add(block(20_000));                              // the young space is touched but once
                case "static" -> CACHE.put(turn, block(9_000));
                case "direct" -> { if (RANDOM.nextInt(300) == 0) KEPT.add(filled(2_000_000)); }
                case "locals" -> threads.submit(() -> OWN.get().add(block(12_000)));
                case "intern" -> { for (int i = 0; i < 40; i++) KEPT.add(("session " + turn + " of user " + i + " ".repeat(60)).intern()); }
                case "backlog" -> { byte[] job = block(9_000); threads.submit(() -> { Thread.sleep(turnsOf(job)); return job; }); }
                case "late" -> { if (turn > 3_000) KEPT.add(block(14_000)); else lru.put(turn, block(20_000)); }
            }
            Thread.sleep(20);
        }
    }

    static byte[] block(int about) {
        return new byte[about / 2 + RANDOM.nextInt(about)];
    }

    /** More time than four threads have: what waits for them grows. */
    static long turnsOf(byte[] job) {
        return 100 + job.length / 100;
    }

    static ByteBuffer filled(int size) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(size);
        while (buffer.hasRemaining()) buffer.put((byte) 1);
        return buffer;
    }

    static void batch() {
        Map<Integer, String> rows = new HashMap<>();
        for (int i = 0; i < 150_000; i++) rows.put(i, "row " + i);
    }
}
