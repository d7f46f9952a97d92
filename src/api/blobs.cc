#include "api/blobs.h"

#include "api/status.h"
#include "base/number.h"
#include "trust/tokens/rights.h"

namespace skerry::api {

namespace {

constexpr std::string_view prefix = "/blobs/v1/";
constexpr std::uint64_t largest = std::uint64_t{64} << 30;
constexpr auto lane = "depot";
constexpr std::size_t most_waiting = 16;
constexpr Duration longest_wait = 30s; ///< clients give up after a minute without an answer

Result<std::uint64_t> parse_bytes_of(const http::Query& query, std::string_view name) {
    std::string_view text = query.get(name);
    auto value = parse_number<std::uint64_t>(text);
    if (!value || *value > largest)
        return fail(Code::invalid,
                    std::string(name) + ": \"" + std::string(text.substr(0, 40)) + "\" is not a number of bytes up to 64 GiB");
    return *value;
}

http::Response with_have(int status, std::uint64_t have) {
    http::Response response = http::Response::text(status, "");
    response.headers.set("X-Have", std::to_string(have));
    return response;
}

} // namespace

/// One upload: pieces are pulled from the client one by one, each written before the next is asked for.
struct Blobs::Taking {
    depot::Digest digest;
    std::uint64_t size = 0;
    std::uint64_t at = 0;
    std::shared_ptr<http::Upload> upload;
    std::shared_ptr<http::Responder> responder;
    std::unique_ptr<env::Timer> patience; ///< while it waits for its turn
};

Blobs::Blobs(Options options) : options_(std::move(options)) {}

bool Blobs::is_upload(const http::Request& request) { return request.method == "PUT" && request.path.starts_with(prefix); }

bool Blobs::answer(const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
    if (!request.path.starts_with(prefix)) return false;
    auto refuse = [&](const Error& error) {
        responder->respond(refusal(error));
        return true;
    };
    auto who = options_.identify(request);
    if (!who) return refuse(who.error());
    if (auto may =
            trust::may(*who, trust::Verb::create, {.kind = "Image", .project = "default", .name = {}, .site = {}, .node = {}});
        !may)
        return refuse(may.error());
    auto digest = depot::Digest::parse(std::string_view(request.path).substr(prefix.size()));
    if (!digest) return refuse(digest.error());
    if (request.method == "HEAD" || request.method == "GET") {
        look(*digest, responder);
        return true;
    }
    if (request.method != "PUT" || !request.upload)
        return refuse({Code::unsupported, request.method + " is not offered here; only HEAD and PUT"});
    auto size = parse_bytes_of(request.query, "size");
    if (!size) return refuse(size.error());
    auto at = parse_bytes_of(request.query, "at");
    if (!at) return refuse(at.error());
    auto taking = std::make_shared<Taking>(*digest, *size, *at, request.upload, responder, nullptr);
    auto [place, is_first] = busy_.try_emplace(*digest);
    if (is_first) {
        begin(taking);
        return true;
    }
    if (place->second.size() >= most_waiting)
        return refuse({Code::unavailable, digest->text() + " is being uploaded by many others; try again when they are done"});
    place->second.push_back(taking);
    taking->patience = options_.env.timers.after(longest_wait, [this, weak = std::weak_ptr(taking)] {
        auto late = weak.lock();
        auto busy = late ? busy_.find(late->digest) : busy_.end();
        if (busy == busy_.end() || std::erase(busy->second, late) == 0) return;
        late->responder->respond(
            refusal({Code::unavailable, late->digest.text() + " is still being uploaded by somebody else; try "
                                                              "again when that is done, it goes on from there"}));
    });
    return true;
}

void Blobs::begin(std::shared_ptr<Taking> taking) {
    struct Found {
        bool whole = false;
        Result<std::uint64_t> have = 0;
    };
    auto found = std::make_shared<Found>();
    options_.env.workers.run(
        lane,
        [this, taking, found] {
            auto size = options_.depot.size(taking->digest);
            found->whole = size && *size == taking->size;
            if (found->whole)
                options_.depot.pin(taking->digest);
            else
                found->have = options_.depot.open_partial(taking->digest, taking->size);
        },
        [this, taking, found] {
            if (found->whole) {
                // Somebody else brought it while this one waited: the body may stay where it is.
                options_.arrived(taking->digest);
                return end(*taking, with_have(201, taking->size));
            }
            if (!found->have) return end(*taking, refusal_of_bytes(found->have.error()));
            if (taking->at > *found->have) {
                suspend(taking->digest);
                return end(*taking, refusal_of_bytes({Code::conflict, "at: " + std::to_string(taking->at) + " leaves a gap; " +
                                                                          std::to_string(*found->have) + " bytes are here"}));
            }
            take(taking);
        });
}

void Blobs::end(Taking& taking, http::Response response) {
    taking.responder->respond(std::move(response));
    auto busy = busy_.find(taking.digest);
    if (busy->second.empty()) {
        busy_.erase(busy);
        return;
    }
    auto next = std::move(busy->second.front());
    busy->second.pop_front();
    next->patience.reset();
    begin(std::move(next));
}

/// An open transfer holds room and is never swept; what came of a closed one waits for the next try, or for the sweep.
void Blobs::suspend(const depot::Digest& digest) {
    options_.env.workers.run(
        lane, [this, digest] { options_.depot.suspend(digest); }, [] {});
}

void Blobs::look(const depot::Digest& digest, std::shared_ptr<http::Responder> responder) {
    auto whole = std::make_shared<Result<std::uint64_t>>(0);
    auto have = std::make_shared<Result<std::uint64_t>>(0);
    options_.env.workers.run(
        lane,
        [this, digest, whole, have] {
            *whole = options_.depot.size(digest);
            if (*whole) options_.depot.pin(digest);
            if (!*whole) *have = options_.depot.have(digest);
        },
        [this, digest, whole, have, responder] {
            if (!*whole) return responder->respond(with_have(404, have->value_or(0)));
            options_.arrived(digest);
            http::Response response = http::Response::text(200, "");
            response.headers.set("X-Size", std::to_string(**whole));
            responder->respond(std::move(response));
        });
}

void Blobs::take(std::shared_ptr<Taking> taking) {
    taking->upload->read([this, taking](Result<std::string> piece) {
        if (!piece) {
            // The client has gone: what came stays for its next try.
            suspend(taking->digest);
            return end(*taking, refusal(piece.error()));
        }
        bool last = piece->empty();
        std::uint64_t at = taking->at;
        taking->at += piece->size();
        struct Step {
            Result<std::uint64_t> have = 0;
            Result<void> finished;
        };
        auto step = std::make_shared<Step>();
        options_.env.workers.run(
            lane,
            [this, taking, last, at, bytes = std::move(*piece), step] {
                if (!last) {
                    step->have = options_.depot.write(taking->digest, at, bytes);
                    return;
                }
                step->have = options_.depot.have(taking->digest);
                if (step->have && (*step->have == taking->size || taking->size == 0)) {
                    step->finished = options_.depot.finish(taking->digest);
                    // At once, before a sweep that is next on the lane.
                    if (step->finished && *step->have == taking->size) options_.depot.pin(taking->digest);
                } else {
                    options_.depot.suspend(taking->digest);
                }
            },
            [this, taking, last, step] {
                if (!step->have) {
                    suspend(taking->digest);
                    return end(*taking, refusal_of_bytes(step->have.error()));
                }
                if (!last) return take(taking);
                if (!step->finished) return end(*taking, refusal_of_bytes(step->finished.error()));
                if (*step->have != taking->size) return end(*taking, with_have(200, *step->have));
                options_.arrived(taking->digest);
                end(*taking, with_have(201, taking->size));
            });
    });
}

} // namespace skerry::api
