#include "base/bytes.h"
#include "cli/client/client.h"
#include "cli/verbs/verbs.h"
#include "env/real/real_files.h"
#include "model/text/yaml.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::cli {

namespace {

struct Login {
    Entry entry;
    Connection connection;
};

Result<std::string> optional_file(const Invocation& call, const char* option) {
    if (!call.has(option)) return std::string();
    return read_file(call.get(option), 1 << 20) | during("--" + std::string(option));
}

Result<Login> parse_login(const Invocation& call) {
    Login login;
    std::string server = call.arguments[0];
    if (server.find("://") == std::string::npos) server = "https://" + server;
    std::string host = server.substr(server.find("://") + 3);
    login.entry.name = call.has("name") ? call.get("name") : host.substr(0, host.find('/'));
    login.entry.project = call.has("project") ? call.get("project") : "default";
    Json cluster = Json::object({{"server", server}}), user = Json::object();
    Connection& connection = login.connection;
    connection.server = server;
    connection.origin = "skerry login";
    connection.tls.ca_pem = TRY(optional_file(call, "ca-file"));
    if (!connection.tls.ca_pem.empty()) cluster.set("certificate-authority-data", base64(connection.tls.ca_pem));
    if (call.has("insecure")) cluster.set("insecure-skip-tls-verify", true), connection.tls.insecure = true;
    connection.tls.credentials.chain_pem = TRY(optional_file(call, "client-certificate"));
    connection.tls.credentials.key_pem = TRY(optional_file(call, "client-key"));
    if (connection.tls.credentials.chain_pem.empty() != connection.tls.credentials.key_pem.empty())
        return fail(Code::invalid, "--client-certificate and --client-key belong together");
    if (!connection.tls.credentials.key_pem.empty()) {
        user.set("client-certificate-data", base64(connection.tls.credentials.chain_pem));
        user.set("client-key-data", base64(connection.tls.credentials.key_pem));
    }
    std::string token = call.get("token");
    if (token == "-") token = TRY(read_file("-", 64 << 10));
    while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
    if (token.find_first_of("\r\n") != std::string::npos) return fail(Code::invalid, "--token: has several lines");
    if (!token.empty()) user.set("token", token), connection.authorization = "Bearer " + token;
    login.entry.cluster = std::move(cluster);
    login.entry.user = std::move(user);
    return login;
}

/// Refuses what would only fail later.
Result<std::string> ask_version(const Connection& connection) {
    auto session = TRY(Session::open(connection, {.request_timeout = 15s}));
    http::Request request;
    request.path = "/version";
    TRY(session->ask(std::move(request)));
    http::Request list;
    list.path = "/apis/skerry/v1/sites";
    list.query.add("limit", "1");
    auto sites = session->ask(std::move(list));
    if (!sites && sites.error().code == Code::unauthenticated) return std::unexpected(sites.error());
    return connection.server;
}

Result<void> write_kubeconfig(const std::string& path, const Entry& entry) {
    env::RealFiles files("/");
    Json content;
    if (access(path.c_str(), F_OK) == 0) content = TRY(parse_kubeconfig(path, TRY(read_file(path, 1 << 20)))).content;
    TRY_VOID(put_context(content, entry) | during(path));
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (!folder.empty() && !std::filesystem::exists(folder, error)) {
        std::filesystem::create_directories(folder, error);
        if (error) return fail_errno("make folder " + folder.string(), error.value());
        if (chmod(folder.c_str(), 0700) != 0) return fail_errno("chmod " + folder.string());
    }
    return env::write_whole(files, path, model::write_yaml(content));
}

Result<int> login(const Invocation& call) {
    auto wanted = parse_login(call);
    if (!wanted) return misused("login", wanted.error().message);
    std::string path = TRY(own_kubeconfig_path(call));
    TRY(ask_version(wanted->connection));
    TRY_VOID(write_kubeconfig(path, wanted->entry));
    std::printf("Logged in: %s is now the current context of %s\n", wanted->entry.name.c_str(), path.c_str());
    return 0;
}

} // namespace

Command login_command() {
    return {.name = "login",
            .summary = "Add a server to the kubeconfig",
            .details = "Asks the server before anything is written. Other contexts of the file stay; comments in it do not.",
            .examples = {"skerry login core.example.com:7443 --ca-file ca.pem --token -",
                         "skerry login https://10.0.0.2:7443 --ca-file ca.pem --client-certificate me.pem --client-key me.key"},
            .arguments = {{.name = "SERVER", .help = "https://host:port"}},
            .options = {{.names = "--token",
                         .value = "TOKEN",
                         .help = "who you are; - reads it from standard input, so that it is in no history"},
                        {.names = "--ca-file",
                         .value = "FILE",
                         .help = "the authority that the server's certificate must come from (default: the system's)"},
                        {.names = "--client-certificate", .value = "FILE", .help = "who you are, as a certificate"},
                        {.names = "--client-key", .value = "FILE", .help = "and its key"},
                        {.names = "--insecure", .value = "", .help = "do not check the server's certificate, now and later"},
                        {.names = "--name", .value = "CONTEXT", .help = "of the context (default: host and port)"},
                        {.names = "-n,--namespace,--project",
                         .value = "NAME",
                         .help = "of the context (default: default)",
                         .shared = true},
                        {.names = "--kubeconfig",
                         .value = "FILE",
                         .help = "to write (default: the first of $KUBECONFIG, ~/.kube/config)",
                         .shared = true}},
            .run =
                [](const Invocation& call) {
                    auto outcome = login(call);
                    return outcome ? *outcome : report(outcome.error());
                },
            .group = access_group};
}

} // namespace skerry::cli
