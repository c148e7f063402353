import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Properties;

/** Prints what Java reads from properties files: a line for each, as dump_properties.c does. */
public class PropertiesDump {
    /** Keeps every entry, in the order of the file. */
    private static final class Listing extends Properties {
        private final StringBuilder text = new StringBuilder();

        @Override
        public synchronized Object put(Object key, Object value) {
            text.append(hex(key)).append('=').append(hex(value)).append(';');
            return super.put(key, value);
        }
    }

    /** Half a surrogate pair is no text for us: a documented difference. */
    private static String hex(Object object) {
        if (object.toString().codePoints().anyMatch(c -> c >= 0xd800 && c <= 0xdfff)) {
            throw new IllegalArgumentException("half a surrogate pair");
        }
        StringBuilder text = new StringBuilder();
        for (byte b : object.toString().getBytes(StandardCharsets.UTF_8)) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }

    public static void main(String[] paths) throws Exception {
        StringBuilder out = new StringBuilder();
        for (String path : paths) {
            Listing listing = new Listing();
            try (FileInputStream in = new FileInputStream(path)) {
                listing.load(in);
                out.append(listing.text);
            } catch (IllegalArgumentException e) {
                out.append("error");
            }
            out.append('\n');
        }
        System.out.print(out);
    }
}
