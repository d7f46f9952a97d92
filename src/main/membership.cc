#include "main/membership.h"

#include "trust/certificate.h"
#include "trust/key.h"

#include <algorithm>

namespace skerry::main {

namespace {

constexpr std::string_view space = "self";

std::string join_lines(const std::vector<std::string>& lines) {
    std::string text;
    for (auto& line : lines) text += line + "\n";
    return text;
}

std::vector<std::string> split_lines(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        std::size_t end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

Result<trust::Role> parse_role(std::string_view text) {
    for (trust::Role role : {trust::Role::core, trust::Role::site, trust::Role::node})
        if (trust::name(role) == text) return role;
    return fail(Code::corrupt, "the store's own role is \"" + std::string(text) + "\", which is none");
}

} // namespace

Membership::Membership(env::Env env, env::Files& files, store::Store& store, std::string keys_folder)
    : env_(env), store_(store), keys_(files, std::move(keys_folder)) {}

void Membership::write_notes(store::Transaction& transaction, const Known& known) {
    transaction.note(space, "role", std::string(trust::name(known.identity.role)));
    transaction.note(space, "name", known.identity.name);
    transaction.note(space, "site", known.identity.site);
    transaction.note(space, "parents", join_lines(known.parents));
    transaction.note(space, "advertised", join_lines(known.advertised));
}

Result<std::optional<Membership::Known>> Membership::load() {
    auto role = store_.note(space, "role");
    if (!role) return std::optional<Known>{};
    Known known;
    known.identity.role = TRY(parse_role(*role));
    known.identity.name = store_.note(space, "name").value_or("");
    known.identity.site = store_.note(space, "site").value_or("");
    known.identity.cell = store_.cell();
    known.parents = split_lines(store_.note(space, "parents").value_or(""));
    known.advertised = split_lines(store_.note(space, "advertised").value_or(""));
    return TRY(open(std::move(known)));
}

/// Reads the keys of a cell that is somebody already.
Result<Membership::Known> Membership::open(Known known) {
    anchors_.clear();
    pinned_.clear();
    if (known.identity.role != trust::Role::node) {
        trust::KeyPair pair = TRY(keys_.load("authority") | during("this cell's authority"));
        authority_ = TRY(trust::Authority::open(pair.chain_pem, pair.key_pem));
        anchors_.push_back(authority_->certificate_pem());
        // The root recognises the users of the fleet.
        auto chain = TRY(trust::split_chain(pair.chain_pem));
        if (chain.size() > 1) anchors_.push_back(chain.back());
    }
    if (known.identity.role != trust::Role::core) {
        std::string parent = TRY(keys_.load_chain("parent") | during("the parent's authority"));
        pinned_.push_back(TRY(trust::read_certificate(parent)).fingerprint);
        // The parent's own users may look at this cell too.
        if (std::find(anchors_.begin(), anchors_.end(), parent) == anchors_.end()) anchors_.push_back(parent);
    }
    known_ = known;
    return known;
}

Result<Membership::Known> Membership::ensure_core(const std::string& name, const std::vector<std::string>& advertised) {
    trust::Identity self = trust::Identity::core(name, store_.cell());
    if (auto pair = keys_.load("authority"); !pair) {
        if (pair.error().code != Code::not_found) return std::unexpected(pair.error());
        trust::Authority root = TRY(trust::Authority::make_root(self, env_.clock.wall()));
        TRY_VOID(keys_.put_key("authority", root.key_pem()));
        TRY_VOID(keys_.put_chain("authority", root.chain_pem()));
    }
    Known known{self, {}, {}};
    TRY(open(known));
    TRY(server_credentials(advertised));
    return known;
}

Result<trust::JoinRequest> Membership::prepare_join(const trust::JoinToken& token) {
    trust::JoinRequest request{
        .token = token.id, .secret = token.secret, .cell = store_.cell(), .request = {}, .authority_request = {}};
    request.request = TRY(trust::make_request(TRY(keys_.ensure_key("cell"))));
    if (token.kind == trust::JoinKind::site)
        request.authority_request = TRY(trust::make_request(TRY(keys_.ensure_key("authority"))));
    return request;
}

Result<void> Membership::complete_join(const trust::JoinToken& token, const trust::JoinRequest& request,
                                       const trust::JoinAnswer& answer, store::Transaction& notes) {
    trust::Identity identity = TRY(trust::accept(token, request, answer));
    TRY_VOID(keys_.put_chain("cell", answer.chain));
    if (token.kind == trust::JoinKind::site) TRY_VOID(keys_.put_chain("authority", answer.authority_chain));
    TRY_VOID(keys_.put_chain("parent", answer.parent_authority));
    Known known{identity, token.addresses, {}};
    write_notes(notes, known);
    TRY(open(known));
    return {};
}

Result<http::Credentials> Membership::link_credentials() {
    trust::KeyPair pair = TRY(keys_.load("cell"));
    return http::Credentials{pair.chain_pem, pair.key_pem};
}

Result<http::Credentials> Membership::server_credentials(const std::vector<std::string>& addresses) {
    if (!authority_) return link_credentials();
    bool core = known_->identity.role == trust::Role::core;
    // A core has no certificate from above, so the one for its addresses is its only one.
    std::string name = core ? "cell" : "server";
    std::string key = TRY(keys_.ensure_key(name));
    std::string request = TRY(trust::make_request(key));
    std::string chain =
        TRY(authority_->issue_chain(request, {.identity = known_->identity, .addresses = addresses, .now = env_.clock.wall()}));
    TRY_VOID(keys_.put_chain(name, chain));
    return http::Credentials{chain, key};
}

Result<http::Credentials> Membership::user_credentials(const std::string& user, const std::vector<std::string>& groups) {
    std::string key = TRY(trust::make_key());
    std::string chain = TRY(
        authority_->issue_chain(TRY(trust::make_request(key)),
                                {.identity = trust::Identity::user(user, groups), .addresses = {}, .now = env_.clock.wall()}));
    return http::Credentials{chain, key};
}

} // namespace skerry::main
