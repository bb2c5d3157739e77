import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Calls a method by its name: the one overload whose parameters take the arguments. */
final class Calls {
    private Calls() {}

    static Object call(Object target, String name, List<Object> arguments) {
        Map<List<Class<?>>, Method> fitting = new LinkedHashMap<>();
        for (Class<?> type : publicTypes(target.getClass())) {
            for (Method method : type.getMethods()) {
                if (method.getName().equals(name) && !method.isBridge()
                        && fit(method, arguments) != null) {
                    fitting.putIfAbsent(Arrays.asList(method.getParameterTypes()), method);
                }
            }
        }
        if (fitting.values().stream().anyMatch(method -> !method.isVarArgs())) {
            fitting.values().removeIf(Method::isVarArgs);
        }
        if (fitting.size() != 1) {
            throw new IllegalArgumentException(
                name + " of " + target.getClass() + " with " + arguments + ": fitting are "
                    + fitting.values());
        }
        Method method = fitting.values().iterator().next();
        try {
            return method.invoke(target, fit(method, arguments));
        } catch (InvocationTargetException error) {
            throw error.getCause() instanceof RuntimeException cause
                ? cause : new IllegalStateException(error.getCause());
        } catch (IllegalAccessException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Returns the public interfaces and classes of a class, whose methods anyone may call. */
    private static Set<Class<?>> publicTypes(Class<?> type) {
        Set<Class<?>> types = new LinkedHashSet<>();
        for (Class<?> each = type; each != null; each = each.getSuperclass()) {
            if (Modifier.isPublic(each.getModifiers())) {
                types.add(each);
            }
            for (Class<?> implemented : each.getInterfaces()) {
                types.addAll(publicTypes(implemented));
            }
        }
        return types;
    }

    /** Returns the arguments as `method` takes them, or null when it does not. */
    private static Object[] fit(Method method, List<Object> arguments) {
        Class<?>[] types = method.getParameterTypes();
        int fixed = method.isVarArgs() ? types.length - 1 : types.length;
        if (arguments.size() < fixed || arguments.size() > fixed && !method.isVarArgs()) {
            return null;
        }
        List<Object> fitted = new ArrayList<>();
        for (int index = 0; index < fixed; index++) {
            if (!types[index].isInstance(arguments.get(index))
                    && !isBoolean(types[index], arguments.get(index))) {
                return null;
            }
            fitted.add(arguments.get(index));
        }
        if (method.isVarArgs()) {
            Class<?> type = types[fixed].getComponentType();
            Object rest = Array.newInstance(type, arguments.size() - fixed);
            for (int index = fixed; index < arguments.size(); index++) {
                if (!type.isInstance(arguments.get(index))) {
                    return null;
                }
                Array.set(rest, index - fixed, arguments.get(index));
            }
            fitted.add(rest);
        }
        return fitted.toArray();
    }

    private static boolean isBoolean(Class<?> type, Object argument) {
        return type == boolean.class && argument instanceof Boolean;
    }
}
