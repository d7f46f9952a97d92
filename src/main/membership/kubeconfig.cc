#include "main/membership/kubeconfig.h"

#include "base/bytes.h"
#include "base/json.h"
#include "model/text/yaml.h"
#include "trust/certificate.h"

namespace skerry::main {

std::string write_kubeconfig(const std::string& name, const std::string& server, const std::string& authority_pem,
                             const http::Credentials& user) {
    Json cluster = Json::object({{"server", server}, {"certificate-authority-data", base64(authority_pem)}});
    Json person = Json::object({{"client-certificate-data", base64(user.chain_pem)}, {"client-key-data", base64(user.key_pem)}});
    Json context = Json::object({{"cluster", name}, {"user", name + "-admin"}, {"namespace", "default"}});
    auto named = [](const std::string& name, std::string_view what, Json value) {
        return Json::array({Json::object({{"name", name}, {std::string(what), std::move(value)}})});
    };
    return model::write_yaml(Json::object({{"apiVersion", "v1"},
                                           {"kind", "Config"},
                                           {"clusters", named(name, "cluster", std::move(cluster))},
                                           {"users", named(name + "-admin", "user", std::move(person))},
                                           {"contexts", named(name, "context", std::move(context))},
                                           {"current-context", name}}));
}

bool kubeconfig_works(const std::string& text, const std::string& server,
                      const std::function<bool(const http::Chain&)>& accepts) {
    constexpr std::string_view field = "client-certificate-data: ";
    std::size_t at = text.find(field);
    if (text.find(server + "\n") == std::string::npos || at == std::string::npos) return false;
    at += field.size();
    std::string value = text.substr(at, text.find('\n', at) - at);
    std::erase(value, '"');
    auto pem = unbase64(value);
    auto chain = pem ? trust::split_chain(*pem) : std::unexpected(pem.error());
    return chain && accepts(*chain);
}

} // namespace skerry::main
