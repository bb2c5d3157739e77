import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

/** ErrorCodes: the error codes of Kafka's protocol, as {name: [code, retriable]}. */
public final class ErrorCodes {
    public static void main(String[] arguments) throws Exception {
        ObjectNode codes = Json.MAPPER.createObjectNode();
        for (Errors error : Errors.values()) {
            codes.putArray(error.name())
                .add(error.code())
                .add(error.exception() instanceof RetriableException);
        }
        System.out.println(Json.MAPPER.writeValueAsString(codes));
    }
}
