#include "api/status.h"
#include "base/log.h"
#include "cell/links/seats.h"
#include "main/desks/courier_desk.h"
#include "main/images/blob_fetch.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/verify.h"

#include <algorithm>
#include <utility>

namespace skerry::main {

namespace {

using How = cell::Couriers::How;

/// With what the file's number means to people.
std::string sentence_of(const cell::Couriers::Outcome& outcome, bool dry) {
    const sync::Taken& taken = outcome.taken;
    if (taken.brings == sync::Brings::nothing) return "nothing new: what it brings is here already, or something later is";
    std::string text;
    auto say = [&](std::size_t count, const char* what) {
        if (count == 0) return;
        text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
    };
    say(taken.items, "objects");
    say(taken.removals, "removals");
    say(taken.status, "reports");
    if (text.empty()) text = "no difference";
    text = (dry ? "would apply " : "applied ") + text;
    if (taken.lacking > 0)
        text += "; " + std::to_string(taken.lacking) +
                " objects that its sender takes to be here are not: the next file from here asks for all of them";
    if (taken.kept > 0) text += "; " + std::to_string(taken.kept) + " objects that the file does not know stay";
    if (outcome.refused > 0) text += "; " + std::to_string(outcome.refused) + " were kept out (see the log)";
    return text;
}

} // namespace

/// One file on its way in.
struct CourierDesk::Taking {
    Taking(CourierDesk& desk, const http::Request& request, std::shared_ptr<http::Responder> to)
        : upload(request.upload), responder(std::move(to)), dry(request.query.get("dryRun") == "true"),
          reader([this, &desk](const link::CourierHeader& header, std::string_view text, std::string_view signature) {
              return desk.admit(*this, header, text, signature);
          }) {}

    std::shared_ptr<http::Upload> upload;
    std::shared_ptr<http::Responder> responder;
    bool dry = false;
    link::CourierReader reader;
    Neighbour neighbour = Neighbour::parent;
    env::Peer peer;
    std::vector<std::string> followed; ///< certificates of the parent's newer keys

    // Touched by one job on a worker at a time.
    std::uint64_t have = 0; ///< of the blob that is coming, before
    std::optional<depot::Digest> coming;
    std::vector<depot::Digest> whole; ///< pinned once each, and not told yet

    std::size_t blobs = 0;
    std::uint64_t blob_bytes = 0;
};

bool CourierDesk::is_upload(const http::Request& request) {
    return request.method == "POST" && request.path == "/courier/v1/apply";
}

/// Who sent it (rule T3 of a parent, T2 of a child: ends of certificates do not count, keys do).
Result<void> CourierDesk::verify(Taking& taking, const link::CourierHeader& header) const {
    auto chain = TRY(trust::split_chain(header.chain));
    auto differs = [&](const trust::Identity& shown) {
        return fail(Code::unauthenticated,
                    "it says to be from " + header.from.title() + ", and its certificate is of " + shown.title());
    };
    auto member = header.from.role == trust::Role::site ? options_.members.member(header.from) : std::nullopt;
    if (member && options_.membership.authority()) {
        taking.neighbour = Neighbour::child;
        if (options_.members.is_revoked(member->key))
            return fail(Code::unauthenticated, "the keys of " + header.from.title() + " were revoked");
        auto who = TRY(trust::verify_renewal(chain, options_.membership.anchors(), member->key));
        if (who != header.from || who.cell != member->cell) return differs(who);
        return cell::may_speak(options_.store, TRY(trust::peer_of(who)));
    }
    if (options_.membership.parent_authorities().empty())
        return fail(Code::unauthenticated, header.from.title() + " has not joined here");
    taking.neighbour = Neighbour::parent;
    std::vector<std::string> pinned = options_.membership.pinned();
    WallTime mark = options_.clock.trust().mark;
    auto who = trust::verify_parent(chain, pinned, mark);
    if (!who && !header.succession.empty()) {
        taking.followed = TRY(trust::follow(pinned.front(), header.succession));
        for (const std::string& pem : taking.followed)
            pinned.insert(pinned.begin(), TRY(trust::read_certificate(pem)).key_fingerprint);
        who = trust::verify_parent(chain, pinned, mark);
    }
    if (!who) return std::unexpected(who.error());
    if (*who != header.from) return differs(*who);
    return {};
}

Result<std::string> CourierDesk::admit(Taking& taking, const link::CourierHeader& header, std::string_view text,
                                       std::string_view signature) {
    if (header.to != options_.self)
        return fail(Code::forbidden,
                    "courier file: it is for " + header.to.title() +
                        (header.to.title() == options_.self.title() ? " of another fleet, or of before it joined anew" : "") +
                        ", and this is " + options_.self.title() + ": nothing was applied");
    TRY_VOID(verify(taking, header) | during("courier file"));
    auto chain = TRY(trust::split_chain(header.chain));
    if (!trust::verify_signature(chain.front(), text, signature))
        return fail(Code::unauthenticated,
                    "courier file: it is not signed by " + header.from.title() + ", or was changed on its way; copy it again");
    taking.peer = TRY(trust::peer_of(header.from));
    auto cell = TRY(options_.membership.link_credentials());
    if (TRY(trust::key_fingerprint(cell.key_pem)) == header.receiver_key) return cell.key_pem;
    const auto& authority = options_.membership.authority();
    if (authority && authority->key() == header.receiver_key) return authority->key_pem();
    return fail(Code::forbidden, "courier file: it is sealed to key " + header.receiver_key.substr(0, 16) +
                                     "…, which this cell has no longer: let its sender apply a file from here, and pack again");
}

void CourierDesk::begin_taking(const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
    take(std::make_shared<Taking>(*this, request, responder));
}

void CourierDesk::take(std::shared_ptr<Taking> taking) {
    taking->upload->read([this, taking](Result<std::string> bytes) {
        auto refuse = [&](const Error& error) { taking->responder->respond(api::refusal(error)); };
        if (!bytes) return suspend(taking), refuse(bytes.error());
        if (bytes->empty()) {
            if (auto whole = taking->reader.end(); !whole) return suspend(taking), refuse(whole.error());
            return apply(taking);
        }
        auto pieces = taking->reader.take(*bytes);
        if (!pieces) return suspend(taking), refuse(pieces.error());
        if (taking->dry || pieces->empty()) return options_.cell.env().timers.post([this, taking] { take(taking); });
        keep(taking, std::move(*pieces));
    });
}

void CourierDesk::keep(std::shared_ptr<Taking> taking, std::vector<link::CourierReader::Piece> pieces) {
    auto kept = std::make_shared<Result<void>>();
    options_.cell.env().workers.run(
        BlobFetch::lane,
        [this, taking, pieces = std::move(pieces), kept] {
            for (const auto& piece : pieces) {
                *kept = keep_piece(*taking, piece);
                if (!*kept) return;
            }
        },
        [this, taking, kept] {
            for (const auto& digest : std::exchange(taking->whole, {})) options_.arrived(digest);
            if (*kept) return take(taking);
            suspend(taking);
            taking->responder->respond(api::refusal_of_bytes(kept->error()));
        });
}

/// What came of a blob stays: when the file is applied again it goes on from there.
void CourierDesk::suspend(std::shared_ptr<Taking> taking) {
    options_.cell.env().workers.run(
        BlobFetch::lane,
        [this, taking] {
            if (taking->coming) (void)options_.depot.suspend(*taking->coming);
        },
        [] {});
}

/// On the lane.
Result<void> CourierDesk::keep_piece(Taking& taking, const link::CourierReader::Piece& piece) {
    const auto& blob = taking.reader.contents()->blobs[piece.blob];
    if (piece.at == 0) {
        auto digest = TRY(depot::Digest::parse(blob.digest) | during("courier file: blobs"));
        taking.have = TRY(options_.depot.open_partial(digest, blob.size));
        taking.coming = digest; // ours to close from here on
    }
    std::uint64_t end = piece.at + piece.bytes.size();
    if (end > taking.have) {
        TRY_VOID(options_.depot.write(*taking.coming, piece.at, piece.bytes));
        taking.blob_bytes += piece.bytes.size();
    }
    if (end < blob.size) return {};
    TRY_VOID(options_.depot.finish(*taking.coming));
    options_.depot.pin(*taking.coming);
    taking.whole.push_back(*std::exchange(taking.coming, std::nullopt));
    ++taking.blobs;
    return {};
}

void CourierDesk::apply(std::shared_ptr<Taking> taking) {
    auto refuse = [&](const Error& error) { taking->responder->respond(api::refusal(error)); };
    auto carried = sync::read_carried(taking->reader.slices());
    if (!carried) return refuse(carried.error());
    if (!taking->dry && !taking->followed.empty()) {
        if (auto followed = options_.membership.follow(taking->followed); !followed) return refuse(followed.error());
        options_.followed();
    }
    options_.cell.couriers().apply(taking->neighbour, taking->peer, std::move(*carried), taking->dry ? How::look : How::apply,
                                   [this, taking](const Result<cell::Couriers::Outcome>& outcome) { applied(taking, outcome); });
}

void CourierDesk::applied(const std::shared_ptr<Taking>& taking, const Result<cell::Couriers::Outcome>& outcome) {
    if (!outcome) return taking->responder->respond(api::refusal(outcome.error()));
    const auto& header = *taking->reader.header();
    const auto& contents = *taking->reader.contents();
    const sync::Taken& taken = outcome->taken;
    std::string sentence = sentence_of(*outcome, taking->dry);
    Json left_out = Json::array();
    for (const std::string& image : contents.left_out) left_out.push(image);
    auto count = [](std::uint64_t number) { return Json(std::to_string(number)); };
    Json answer = Json::object({{"from", header.from.title()},
                                {"made", rfc3339(header.made)},
                                {"until", count(header.until)},
                                {"dryRun", taking->dry},
                                {"applied", !taking->dry && taken.brings != sync::Brings::nothing},
                                {"objects", count(taken.items)},
                                {"removals", count(taken.removals)},
                                {"reports", count(taken.status)},
                                {"lacking", count(taken.lacking)},
                                {"kept", count(taken.kept)},
                                {"refused", count(outcome->refused)},
                                {"blobs", count(taking->dry ? contents.blobs.size() : taking->blobs)},
                                {"blobBytes", count(taking->blob_bytes)},
                                {"leftOut", std::move(left_out)},
                                {"message", sentence}});
    auto respond = [responder = taking->responder, answer](const Result<store::Number>& done) {
        responder->respond(done ? api::json_response(200, answer) : api::refusal(done.error()));
    };
    if (taking->dry) return respond(store::Number{0});
    if (taken.brings != sync::Brings::nothing) {
        log(Level::info, "main", "a courier file of {}, made {}: {}", header.from.title(), rfc3339(header.made), sentence);
        std::string site = taking->neighbour == Neighbour::child ? header.from.name : options_.self.site;
        if (auto object = options_.store.get({model::Kind::site, "", site}))
            options_.cell.events().record(*object, cell::Tone::normal, "CourierApplied",
                                          "from " + header.from.title() + ", made " + rfc3339(header.made) + ": " + sentence);
    }
    // Also of one that was applied before: power may have come between its slices and this.
    if (taking->neighbour != Neighbour::child || !taken.is_latest) return respond(store::Number{0});
    Json wants = Json::array();
    for (const std::string& image : contents.wants) wants.push(image);
    store::Transaction transaction;
    transaction.note("courier.wants", header.from.cell.text(), write_json(wants));
    options_.store.commit(std::move(transaction), respond);
}

} // namespace skerry::main
