#include "cli/client/client.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace skerry::cli {

namespace {

constexpr const char* machines_own = "/var/lib/skerry/admin.kubeconfig";

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::vector<std::string> split_paths(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        std::size_t colon = std::min(list.find(':'), list.size());
        if (colon > 0) out.emplace_back(list.substr(0, colon));
        list.remove_prefix(std::min(colon + 1, list.size()));
    }
    return out;
}

/// Candidates, and whether each must be there.
struct Places {
    std::vector<std::string> paths;
    bool required = false;
    bool all = false; ///< merged; else the first that can be read
};

Places places_of(const Invocation& call) {
    if (call.has("kubeconfig")) return {{call.get("kubeconfig")}, true, true};
    if (std::string list = environment("KUBECONFIG"); !list.empty()) return {split_paths(list), false, true};
    Places places{{machines_own}, false, false};
    if (std::string home = environment("HOME"); !home.empty()) places.paths.push_back(home + "/.kube/config");
    return places;
}

Result<std::vector<Kubeconfig>> read_kubeconfigs(const Invocation& call) {
    Places places = places_of(call);
    std::vector<Kubeconfig> files;
    std::string tried, kept_from;
    for (const std::string& path : places.paths) {
        tried += (tried.empty() ? "" : ", ") + path;
        if (!places.required && access(path.c_str(), R_OK) != 0) {
            if (errno == EACCES && kept_from.empty()) kept_from = path;
            continue;
        }
        files.push_back(TRY(parse_kubeconfig(path, TRY(read_file(path, 1 << 20)))));
        if (!places.all) break;
    }
    if (files.empty() && !kept_from.empty())
        return fail(Code::forbidden,
                    kept_from +
                        ": permission denied; run as root, or have an administrator grant you access (skerry access grant)");
    if (files.empty())
        return fail(Code::not_found, "no kubeconfig found (tried " + tried + "); start `skerry up`, or give --kubeconfig FILE");
    return files;
}

} // namespace

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    // Not /dev/stdin, which needs a /proc of the right namespace.
    int fd = path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno("open " + path);
    std::string bytes;
    char buffer[16384];
    for (;;) {
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            int number = errno;
            close(fd);
            return fail_errno("read " + path, number);
        }
        if (n == 0) break;
        bytes.append(buffer, static_cast<std::size_t>(n));
        if (bytes.size() > limit) {
            close(fd);
            return fail(Code::exhausted, path + ": is larger than " + std::to_string(limit) + " bytes");
        }
    }
    close(fd);
    return bytes;
}

std::vector<Option> connection_options() {
    std::vector<Option> options{
        {.names = "-n,--namespace,--project", .value = "NAME", .help = "the project (default: the context's, or \"default\")"},
        {.names = "--kubeconfig",
         .value = "FILE",
         .help = "default: $KUBECONFIG, /var/lib/skerry/admin.kubeconfig, ~/.kube/config"},
        {.names = "--context", .value = "NAME", .help = "of the kubeconfig (default: its current-context)"},
        {.names = "--server", .value = "URL", .help = "instead of the context's server"},
        {.names = "--insecure", .value = "", .help = "do not check the server's certificate"},
        {.names = "--request-timeout", .value = "DURATION", .help = "how long to wait for an answer (default 60s)"},
    };
    for (Option& option : options) option.shared = true;
    return options;
}

std::vector<Option> with_connection(std::vector<Option> own) {
    for (Option& option : connection_options()) own.push_back(std::move(option));
    return own;
}

Result<Connection> find_connection(const Invocation& call) {
    auto files = TRY(read_kubeconfigs(call));
    Connection connection =
        TRY(choose_context(files, call.get("context"), [](const std::string& path) { return read_file(path, 1 << 20); }));
    if (call.has("project")) connection.project = call.get("project");
    if (call.has("server")) {
        connection.server = call.get("server");
        connection.origin = "--server, " + connection.origin;
    }
    if (call.has("insecure")) connection.tls.insecure = true;
    if (connection.project.empty()) return fail(Code::invalid, "--project: is empty; give a name, or leave it out");
    return connection;
}

Result<std::unique_ptr<Session>> connect(const Invocation& call) {
    SessionOptions options;
    if (call.has("request-timeout")) {
        Duration given = TRY(parse_duration(call.get("request-timeout")) | during("--request-timeout"));
        // As with kubectl, 0 is: as long as it takes.
        options.request_timeout = given > 0s ? given : Duration(24h);
    }
    return Session::open(TRY(find_connection(call)), options);
}

Result<std::string> own_kubeconfig_path(const Invocation& call) {
    if (call.has("kubeconfig")) return call.get("kubeconfig");
    if (auto paths = split_paths(environment("KUBECONFIG")); !paths.empty()) return paths[0];
    std::string home = environment("HOME");
    if (home.empty()) return fail(Code::invalid, "$HOME is not set; give --kubeconfig FILE");
    return home + "/.kube/config";
}

int report(const Error& error) {
    std::fflush(stdout);
    if (error.code == Code::cancelled) return interrupted;
    std::fprintf(stderr, "skerry: %s\n", error.message.c_str());
    return 1;
}

int misused(const char* verb, const std::string& why) {
    std::fprintf(stderr, "skerry %s: %s\nTry: skerry %s --help\n", verb, why.c_str(), verb);
    return wrong_usage;
}

int with_session(const Invocation& call, const std::function<Result<int>(Session&)>& body) {
    auto session = connect(call);
    if (!session) return report(session.error());
    auto outcome = body(**session);
    return outcome ? *outcome : report(outcome.error());
}

} // namespace skerry::cli
