// SPDX-License-Identifier: GPL-2.0-only
// Loggers DOMAIN...: a Java program (jul, log4j, or both) that logs what it is told to: commands on stdin, one line each,
// one answer line each.
//
//   log DOMAIN LOGGER LEVEL TEXT          one record
//   burst DOMAIN LOGGER LEVEL FIRST COUNT records with the texts FIRST..
//   make DOMAIN LOGGER                    makes a logger
//   patterns DOMAIN                       what the agent has enabled: NAME=COUNT, sorted
//   contexts DOMAIN                       the application contexts that the agent has enabled: PROVIDER:NAME=COUNT, sorted
//   provide NAME                          registers a provider of application contexts (see Values)
//   withdraw NAME                         unregisters it
//   exit
//
// First line of output: "ready PID", when the agents are registered with the daemons that run. The agents' own handlers
// are on the root loggers, and each domain has the logger "program".
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.Logger;

import org.lttng.ust.agent.context.ContextInfoManager;
import org.lttng.ust.agent.context.IContextInfoRetriever;
import org.lttng.ust.agent.jul.LttngLogHandler;
import org.lttng.ust.agent.log4j.LttngLogAppender;

public class Loggers {
    // Those of java.util.logging are forgotten when nobody holds them.
    private static final Map<String, Logger> LOGGERS = new HashMap<>();

    // One context of each type that can be recorded.
    private static final class Values implements IContextInfoRetriever {
        @Override
        public Object retrieveContextInfo(String key) {
            switch (key) {
            case "int": return 42;
            case "long": return 5000000000L;
            case "short": return (short) -7;
            case "byte": return (byte) 8;
            case "double": return -0.25;
            case "float": return 1.5f;
            case "yes": return true;
            case "text": return "some text";
            case "object": return new StringBuilder("an object");
            case "thrower": throw new IllegalStateException("thrower");
            default: return null;
            }
        }
    }

    private static Logger jul(String name) {
        return LOGGERS.computeIfAbsent(name, Logger::getLogger);
    }

    private static void log(String domain, String name, String level, String text) {
        if (domain.equals("jul")) {
            jul(name).log(Level.parse(level), text);
        } else {
            org.apache.log4j.Logger.getLogger(name).log(org.apache.log4j.Level.toLevel(level), text);
        }
    }

    private static void make(String domain, String name) {
        if (domain.equals("jul")) {
            jul(name);
        } else {
            org.apache.log4j.Logger.getLogger(name);
        }
    }

    private static Object agent(String domain) throws ReflectiveOperationException {
        String name = domain.equals("jul") ? "jul.LttngJulAgent" : "log4j.LttngLog4jAgent";
        Method method = Class.forName("org.lttng.ust.agent." + name).getDeclaredMethod("getInstance");
        method.setAccessible(true);
        return method.invoke(null);
    }

    private static Object field(Object agent, String name) throws ReflectiveOperationException {
        Field field = Class.forName("org.lttng.ust.agent.AbstractLttngAgent").getDeclaredField(name);
        field.setAccessible(true);
        return field.get(agent);
    }

    // The agent waits three seconds for each daemon, whether it runs or not. It need not wait for one that does not run.
    private static void hurry(String domain) {
        String home = System.getenv("LTTNG_HOME");
        home = home == null ? System.getProperty("user.home") : home;
        release(domain, "rootSessiondClient", new File("/var/run/lttng/agent.port"));
        release(domain, "userSessiondClient", new File(home, ".lttng/agent.port"));
    }

    private static void release(String domain, String client, File port) {
        if (port.exists()) {
            return;
        }
        Thread thread = new Thread(() -> {
            try {
                Object agent = agent(domain);
                Object found;
                while ((found = field(agent, client)) == null) {
                    Thread.sleep(5);
                }
                Field latch = found.getClass().getDeclaredField("registrationLatch");
                latch.setAccessible(true);
                ((CountDownLatch) latch.get(found)).countDown();
            } catch (ReflectiveOperationException | InterruptedException e) {
                e.printStackTrace();
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static String patterns(String domain) throws ReflectiveOperationException {
        TreeSet<String> all = new TreeSet<>();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) field(agent(domain), "enabledPatterns")).entrySet()) {
            Method name = entry.getKey().getClass().getDeclaredMethod("getEventName");
            name.setAccessible(true);
            all.add(name.invoke(entry.getKey()) + "=" + entry.getValue());
        }
        return String.join(" ", all);
    }

    private static String contexts(String domain) throws ReflectiveOperationException {
        TreeSet<String> all = new TreeSet<>();
        Map<?, ?> providers = (Map<?, ?>) field(agent(domain), "enabledAppContexts");
        for (Map.Entry<?, ?> provider : providers.entrySet()) {
            for (Map.Entry<?, ?> context : ((Map<?, ?>) provider.getValue()).entrySet()) {
                all.add(provider.getKey() + ":" + context.getKey() + "=" + context.getValue());
            }
        }
        return String.join(" ", all);
    }

    private static String answer(String line) throws Exception {
        String[] words = line.split(" ", 5);
        switch (words[0]) {
        case "log":
            log(words[1], words[2], words[3], words[4]);
            return "done";
        case "burst":
            String[] range = words[4].split(" ");
            int first = Integer.parseInt(range[0]);
            for (int n = first; n < first + Integer.parseInt(range[1]); n++) {
                log(words[1], words[2], words[3], Integer.toString(n));
            }
            return "done";
        case "make":
            make(words[1], words[2]);
            return "done";
        case "patterns":
            return patterns(words[1]);
        case "contexts":
            return contexts(words[1]);
        case "provide":
            boolean taken = ContextInfoManager.getInstance().registerContextInfoRetriever(words[1], new Values());
            return taken ? "done" : "refused";
        case "withdraw":
            return ContextInfoManager.getInstance().unregisterContextInfoRetriever(words[1]) ? "done" : "refused";
        default:
            return "what?";
        }
    }

    public static void main(String[] domains) throws Exception {
        LogManager.getLogManager().reset();
        Logger root = jul("");
        root.setLevel(Level.ALL);
        org.apache.log4j.Logger.getRootLogger().setLevel(org.apache.log4j.Level.ALL);
        for (String domain : domains) {
            make(domain, "program");
            hurry(domain);
            if (domain.equals("jul")) {
                root.addHandler(new LttngLogHandler());
            } else {
                org.apache.log4j.Logger.getRootLogger().addAppender(new LttngLogAppender());
            }
        }
        System.out.println("ready " + ProcessHandle.current().pid());
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            if (line.equals("exit")) {
                System.out.println("bye");
                break;
            }
            System.out.println(answer(line));
        }
        // From Java 21 on, this is logged.
        jul("java.lang.Runtime").setLevel(Level.OFF);
        System.exit(0);
    }
}
