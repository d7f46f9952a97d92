#include "cli/client/kubeconfig.h"

#include "base/bytes.h"
#include "model/rules/problems.h"
#include "model/text/yaml.h"

namespace skerry::cli {

namespace {

constexpr model::YamlLimits limits{.bytes = 1 << 20, .depth = 16, .values = 20'000, .expanded_bytes = 2 << 20, .documents = 1};

/// `clusters[name=core].cluster` in one of the files.
struct Found {
    const Kubeconfig* file = nullptr;
    Json value;
};

/// `list` is "clusters", `inner` "cluster".
Result<Found> find_entry(const std::vector<Kubeconfig>& files, std::string_view list, std::string_view inner,
                         std::string_view name) {
    std::vector<std::string_view> known;
    for (const Kubeconfig& file : files) {
        const Json* entries = file.content.find(list);
        if (!entries || entries->is_null()) continue;
        if (!entries->array_items())
            return fail(Code::invalid,
                        file.path + ": " + std::string(list) + ": wanted a list, not " + std::string(entries->shape()));
        for (const Json& entry : *entries->array_items()) {
            known.push_back(entry.text("name"));
            if (entry.text("name") != name) continue;
            const Json* value = entry.find(inner);
            if (!value || !value->members())
                return fail(Code::invalid, file.path + ": " + std::string(list) + "[" + std::string(name) + "]." +
                                               std::string(inner) + ": wanted an object");
            return Found{&file, *value};
        }
    }
    std::string message = "there is no " + std::string(inner) + " " + model::quoted(name) + " in " +
                          (files.empty() ? "any kubeconfig" : files[0].path);
    std::string choices;
    for (auto word : known) choices += (choices.empty() ? "" : ", ") + std::string(word.substr(0, 80));
    return fail(Code::invalid, message + (choices.empty() ? "" : "; it has " + choices));
}

/// One entry's fields, read with errors that name them.
class Fields {
public:
    Fields(const Found& found, std::string title, const ReadFile& read) : found_(found), title_(std::move(title)), read_(read) {}

    Result<std::string> text(std::string_view name) const {
        const Json* value = found_.value.find(name);
        if (!value || value->is_null()) return std::string();
        if (!value->string()) return wrong(name, "wanted a text, not " + std::string(value->shape()));
        return *value->string();
    }
    Result<bool> flag(std::string_view name) const {
        const Json* value = found_.value.find(name);
        if (!value || value->is_null()) return false;
        if (!value->boolean()) return wrong(name, "wanted true or false, not " + std::string(value->shape()));
        return *value->boolean();
    }
    /// `name`-data in base64, or the content of the file `name`.
    Result<std::string> bytes(const std::string& name) const {
        std::string inlined = TRY(text(name + "-data"));
        if (!inlined.empty()) {
            auto bytes = unbase64(inlined);
            if (!bytes) return wrong(name + "-data", bytes.error().message);
            return std::move(*bytes);
        }
        return file(name);
    }
    Result<std::string> file(std::string_view name) const {
        std::string path = TRY(text(name));
        if (path.empty()) return std::string();
        if (path[0] != '/') path = found_.file->path.substr(0, found_.file->path.rfind('/') + 1) + path;
        auto bytes = read_(path);
        if (!bytes) return wrong(name, bytes.error().message);
        return std::move(*bytes);
    }
    std::unexpected<Error> wrong(std::string_view name, const std::string& why) const {
        return fail(Code::invalid, found_.file->path + ": " + title_ + "." + std::string(name) + ": " + why);
    }
    bool has(std::string_view name) const { return found_.value.find(name) != nullptr; }

private:
    const Found& found_;
    std::string title_;
    const ReadFile& read_;
};

Result<void> take_cluster(const Fields& fields, Connection& into) {
    into.server = TRY(fields.text("server"));
    if (into.server.empty()) return fields.wrong("server", "is missing; wanted an address such as https://core:7443");
    if (!into.server.starts_with("https://") && !into.server.starts_with("http://"))
        return fields.wrong("server", model::quoted(into.server) + " is not a URL (try https://core:7443)");
    into.tls.ca_pem = TRY(fields.bytes("certificate-authority"));
    into.tls.insecure = TRY(fields.flag("insecure-skip-tls-verify"));
    into.tls.server_name = TRY(fields.text("tls-server-name"));
    if (!TRY(fields.text("proxy-url")).empty())
        return fields.wrong("proxy-url", "proxies are not supported; remove it, or reach the server directly");
    return {};
}

Result<void> take_user(const Fields& fields, Connection& into) {
    into.tls.credentials.chain_pem = TRY(fields.bytes("client-certificate"));
    into.tls.credentials.key_pem = TRY(fields.bytes("client-key"));
    if (into.tls.credentials.chain_pem.empty() != into.tls.credentials.key_pem.empty())
        return fields.wrong(into.tls.credentials.key_pem.empty() ? "client-key" : "client-certificate",
                            "is missing: certificate and key belong together");
    std::string token = TRY(fields.text("token"));
    if (token.empty()) token = TRY(fields.file("tokenFile"));
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) token.pop_back();
    if (token.find_first_of("\r\n") != std::string::npos) return fields.wrong("token", "has several lines");
    std::string user = TRY(fields.text("username"));
    if (!token.empty())
        into.authorization = "Bearer " + token;
    else if (!user.empty())
        into.authorization = "Basic " + base64(user + ":" + TRY(fields.text("password")));
    for (const char* other : {"exec", "auth-provider"})
        if (fields.has(other))
            return fields.wrong(other, "programs that log in are not supported; use a certificate or a token (skerry login)");
    return {};
}

} // namespace

Result<Kubeconfig> parse_kubeconfig(std::string path, std::string_view text) {
    auto documents = model::parse_yaml(text, limits);
    if (!documents) return fail(Code::invalid, path + ": " + documents.error().message);
    Json content = documents->empty() ? Json::object() : std::move(documents->front());
    if (!content.members()) return fail(Code::invalid, path + ": a kubeconfig is a mapping, not " + std::string(content.shape()));
    if (auto kind = content.text("kind"); !kind.empty() && kind != "Config")
        return fail(Code::invalid, path + ": kind: " + model::quoted(kind) + " is no kubeconfig, whose kind is Config");
    return Kubeconfig{std::move(path), std::move(content)};
}

Result<Connection> choose_context(const std::vector<Kubeconfig>& files, std::string_view wanted, const ReadFile& read) {
    std::string name(wanted);
    for (const Kubeconfig& file : files)
        if (name.empty()) name = file.content.text("current-context");
    if (name.empty())
        return fail(Code::invalid,
                    (files.empty() ? "no kubeconfig" : files[0].path) + ": current-context: is not set; give --context NAME");
    Found context = TRY(find_entry(files, "contexts", "context", name));
    Fields fields(context, "contexts[" + name + "].context", read);
    Connection connection;
    connection.origin = "context " + name + " of " + context.file->path;
    if (std::string project = TRY(fields.text("namespace")); !project.empty()) connection.project = project;
    std::string cluster = TRY(fields.text("cluster")), user = TRY(fields.text("user"));
    Found cluster_entry = TRY(find_entry(files, "clusters", "cluster", cluster));
    TRY_VOID(take_cluster(Fields(cluster_entry, "clusters[" + cluster + "].cluster", read), connection));
    if (user.empty()) return connection;
    Found user_entry = TRY(find_entry(files, "users", "user", user));
    TRY_VOID(take_user(Fields(user_entry, "users[" + user + "].user", read), connection));
    return connection;
}

Result<void> put_context(Json& content, const Entry& entry) {
    if (content.is_null() || (content.members() && content.members()->empty()))
        content = Json::object({{"apiVersion", "v1"}, {"kind", "Config"}});
    auto put = [&](std::string_view list, std::string_view inner, Json value) -> Result<void> {
        Json* entries = content.find(list);
        if (!entries || entries->is_null()) {
            content.set(list, Json::array());
            entries = content.find(list);
        }
        if (!entries->array_items())
            return fail(Code::invalid, std::string(list) + ": wanted a list, not " + std::string(entries->shape()));
        std::erase_if(*entries->array_items(), [&](const Json& each) { return each.text("name") == entry.name; });
        entries->push(Json::object({{"name", entry.name}, {std::string(inner), std::move(value)}}));
        return {};
    };
    TRY_VOID(put("clusters", "cluster", entry.cluster));
    TRY_VOID(put("users", "user", entry.user));
    TRY_VOID(
        put("contexts", "context", Json::object({{"cluster", entry.name}, {"user", entry.name}, {"namespace", entry.project}})));
    content.set("current-context", entry.name);
    return {};
}

} // namespace skerry::cli
