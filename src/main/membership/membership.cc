#include "main/membership/membership.h"

#include "base/json.h"
#include "base/log.h"
#include "model/tier.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/verify.h"

#include <algorithm>
#include <map>
#include <span>

namespace skerry::main {

namespace {

constexpr std::string_view self_space = "self";

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

/// Keys made for a join: of their own for each token, so that a token that was lost leaves nothing that a later one would use.
std::string join_key(const trust::JoinToken& token) { return "join-" + token.id.text().substr(0, 16); }

Result<trust::Role> parse_role(std::string_view text) {
    for (trust::Role role : {trust::Role::core, trust::Role::site, trust::Role::node})
        if (trust::name(role) == text) return role;
    return fail(Code::corrupt, "the store's own role is \"" + std::string(text) + "\", which is none");
}

} // namespace

Membership::Membership(env::Env env, env::Files& files, store::Store& store, std::string keys_folder)
    : env_(env), store_(store), keys_(files, std::move(keys_folder)) {}

void Membership::write_notes(store::Transaction& transaction, const Known& known) {
    transaction.note(self_space, "role", std::string(trust::name(known.identity.role)));
    transaction.note(self_space, "name", known.identity.name);
    transaction.note(self_space, "site", known.identity.site);
    transaction.note(self_space, "tier", known.region ? std::string(model::region_tier) : std::string());
    transaction.note(self_space, "parents", join_lines(known.parents));
    transaction.note(self_space, "advertised", join_lines(known.advertised));
    transaction.note(self_space, "token", known.token);
    transaction.note(self_space, "life", text(known.life));
}

Result<std::optional<Membership::Known>> Membership::load() {
    auto role = store_.note(self_space, "role");
    if (!role) return std::optional<Known>{};
    Known known;
    known.identity.role = TRY(parse_role(*role));
    known.identity.name = store_.note(self_space, "name").value_or("");
    known.identity.site = store_.note(self_space, "site").value_or("");
    known.identity.cell = store_.cell();
    known.region = store_.note(self_space, "tier").value_or("") == model::region_tier;
    known.parents = split_lines(store_.note(self_space, "parents").value_or(""));
    known.advertised = split_lines(store_.note(self_space, "advertised").value_or(""));
    known.token = store_.note(self_space, "token").value_or("");
    if (auto life = parse_duration(store_.note(self_space, "life").value_or("")); life && *life > 0s) known.life = *life;
    return TRY(open(std::move(known)));
}

/// Reads the keys of a cell that is somebody already.
Result<Membership::Known> Membership::open(Known known) {
    anchors_.clear();
    pinned_.clear();
    parent_authorities_.clear();
    succession_.clear();
    ends_.reset();
    if (known.identity.role != trust::Role::node) {
        trust::KeyPair pair = TRY(keys_.load("authority") | during("this cell's authority"));
        authority_ = TRY(trust::Authority::open(pair.chain_pem, pair.key_pem));
        anchors_.push_back(authority_->certificate_pem());
        succession_ = TRY(load_succession());
        for (const auto& step : succession_) anchors_.push_back(step.from);
        if (known.identity.role == trust::Role::core) authority_->show_crosses(trust::crosses(succession_));
        // The root recognises the users of the fleet.
        auto chain = TRY(trust::split_chain(pair.chain_pem));
        if (chain.size() > 1) anchors_.push_back(chain.back());
    }
    if (known.identity.role != trust::Role::core) {
        std::string parent = TRY(keys_.load_chain("parent") | during("the parent's authority"));
        parent_authorities_ = TRY(trust::split_chain(parent));
        for (const std::string& pem : parent_authorities_) {
            pinned_.push_back(TRY(trust::read_certificate(pem)).key_fingerprint);
            // The parent's own users may look at this cell too.
            if (std::find(anchors_.begin(), anchors_.end(), pem) == anchors_.end()) anchors_.push_back(pem);
        }
        std::string own = TRY(keys_.load_chain("cell") | during("this cell's certificate"));
        ends_ = TRY(trust::read_certificate(own)).not_after;
        issued_by_.clear();
        auto chain = TRY(trust::split_chain(own));
        for (std::size_t i = 0; i < pinned_.size() && issued_by_.empty(); ++i)
            if (trust::verify_issued(chain, std::span(&parent_authorities_[i], 1))) issued_by_ = pinned_[i];
    }
    known_ = known;
    return known;
}

Result<trust::Succession> Membership::load_succession() {
    auto file = keys_.load_file("succession", 1 << 20);
    if (!file && file.error().code == Code::not_found) return trust::Succession{};
    auto json = parse_json(TRY(std::move(file)), {.bytes = 1 << 20, .depth = 4, .values = 2048});
    return TRY(trust::parse_succession(TRY(std::move(json))) | during("this cell's succession of keys"));
}

bool Membership::wants_certificates() const {
    if (!ends_) return false;
    return issued_by_ != pinned_.front() || *ends_ - env_.clock.wall() <= known_->life / 3;
}

Result<trust::RenewalRequest> Membership::renewal_request(Id nonce, bool certificates) {
    trust::RenewalRequest request{.nonce = nonce, .follows = pinned_.front(), .request = {}, .authority_request = {}};
    if (!certificates) return request;
    request.request = TRY(trust::make_request(TRY(keys_.load("cell")).key_pem));
    if (authority_) request.authority_request = TRY(trust::make_request(authority_->key_pem()));
    return request;
}

Result<void> Membership::complete_renewal(const trust::RenewalRequest& request, const trust::RenewalAnswer& answer) {
    Result<void> accepted = fail(Code::unauthenticated, "no authority of the parent is pinned");
    for (const std::string& authority : parent_authorities_) {
        accepted = trust::accept(known_->identity, request, answer, authority, env_.clock.trust().mark);
        if (accepted) break;
    }
    TRY_VOID(std::move(accepted));
    std::map<std::string, std::string> files{{"cell.chain", answer.chain}};
    if (authority_) files["authority.chain"] = answer.authority_chain;
    TRY_VOID(keys_.put_all(files));
    Known known = *known_;
    if (answer.life > 0s && answer.life != known.life) {
        known.life = answer.life;
        store::Transaction notes;
        notes.note(self_space, "life", text(known.life));
        store_.commit(std::move(notes), nullptr);
    }
    TRY(open(known));
    return {};
}

Result<void> Membership::follow(const std::vector<std::string>& passed) {
    constexpr std::size_t most = 8;
    std::vector<std::string> all(passed.rbegin(), passed.rend());
    all.insert(all.end(), parent_authorities_.begin(), parent_authorities_.end());
    std::string chain;
    for (std::size_t i = 0; i < std::min(most, all.size()); ++i) chain += all[i];
    TRY_VOID(keys_.put_all({{"parent.chain", chain}}));
    TRY(open(Known(*known_)));
    return {};
}

Result<void> Membership::change_authority(bool vouched) {
    if (!authority_ || known_->identity.role != trust::Role::core)
        return fail(Code::unsupported, "only the root's authority changes by itself; a site's changes when it joins again");
    trust::Authority next = TRY(trust::Authority::make_root(known_->identity, env_.clock.wall()));
    trust::Succession succession;
    if (vouched) {
        succession = succession_;
        if (succession.size() >= trust::longest_succession)
            return fail(Code::exhausted, "the authority has changed " + std::to_string(succession.size()) +
                                             " times, which is all that is remembered");
        succession.push_back(TRY(trust::succeed(*authority_, next)));
    }
    TRY_VOID(keys_.put_all({{"authority.key", next.key_pem()},
                            {"authority.chain", next.chain_pem()},
                            {"succession", write_json(trust::json(succession))}}));
    TRY(open(Known(*known_)));
    return {};
}

Result<Membership::Known> Membership::ensure_core(const std::string& name, const std::vector<std::string>& advertised) {
    trust::Identity self = trust::Identity::core(name, store_.cell());
    if (auto pair = keys_.load("authority"); !pair) {
        if (pair.error().code != Code::not_found) return std::unexpected(pair.error());
        trust::Authority root = TRY(trust::Authority::make_root(self, env_.clock.wall()));
        TRY_VOID(keys_.put_key("authority", root.key_pem()));
        TRY_VOID(keys_.put_chain("authority", root.chain_pem()));
    }
    Known known{.identity = self, .parents = {}, .advertised = {}, .token = {}};
    TRY(open(known));
    TRY(server_credentials(advertised));
    return known;
}

Result<trust::JoinRequest> Membership::prepare_join(const trust::JoinToken& token) {
    trust::JoinRequest request{
        .token = token.id, .secret = token.secret, .cell = store_.cell(), .request = {}, .authority_request = {}};
    request.request = TRY(trust::make_request(TRY(keys_.ensure_key(join_key(token)))));
    if (token.kind != trust::JoinKind::node)
        request.authority_request = TRY(trust::make_request(TRY(keys_.ensure_key(join_key(token) + "-authority"))));
    return request;
}

Result<void> Membership::complete_join(const trust::JoinToken& token, const trust::JoinRequest& request,
                                       const trust::JoinAnswer& answer, store::Transaction& notes) {
    trust::Identity identity = TRY(trust::accept(token, request, answer));
    std::map<std::string, std::string> files{{"cell.key", TRY(keys_.ensure_key(join_key(token)))},
                                             {"cell.chain", answer.chain},
                                             {"parent.chain", answer.parent_authority}};
    if (token.kind != trust::JoinKind::node) {
        std::string key = TRY(keys_.ensure_key(join_key(token) + "-authority"));
        files["authority.key"] = key;
        files["authority.chain"] = answer.authority_chain;
        // Nodes that know this site's earlier key are led to the new one.
        if (auto old = keys_.load("authority")) {
            auto before = TRY(trust::Authority::open(old->chain_pem, old->key_pem));
            auto after = TRY(trust::Authority::open(answer.authority_chain, key));
            auto succession = TRY(load_succession());
            if (before.key() != after.key() && before.identity() == after.identity()) {
                succession.push_back(TRY(trust::succeed(before, after)));
                files["succession"] = write_json(trust::json(succession));
            }
        }
    }
    TRY_VOID(keys_.put_all(files));
    std::vector<std::string> advertised = known_ ? known_->advertised : std::vector<std::string>{};
    Known known{.identity = identity,
                .parents = token.addresses,
                .advertised = std::move(advertised),
                .token = token.id.text(),
                .life = answer.life,
                .region = token.kind == trust::JoinKind::region};
    write_notes(notes, known);
    TRY(open(known));
    return {};
}

void Membership::forget_join(const trust::JoinToken& token) {
    for (const std::string& name : {join_key(token), join_key(token) + "-authority"})
        if (auto removed = keys_.remove_key(name); !removed) log(Level::warning, "main", "{}", removed.error().message);
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
