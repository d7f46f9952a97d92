// Many edits at a core, until each of its sites has the last version. One line of JSON on standard output.
//
//     site_edits EDITS CORE_KUBECONFIG SITE_KUBECONFIG...     so many patches of each site's values, all sites by turns, 16 patches
//                                                             at a time; each site's own API is watched for what has come
#include "base/json.h"
#include "bench/load.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace skerry::bench {

namespace {

constexpr const char* sites = "/apis/skerry/v1/sites";
constexpr std::size_t writers = 16;
constexpr Duration longest = 120s;

class Edits {
public:
    Edits(Load& load, std::size_t edits, const std::string& core, const std::vector<std::string>& places)
        : load_(load), edits_(edits) {
        for (auto& kubeconfig : places) places_.emplace_back(std::make_unique<Place>())->client = load.client(kubeconfig);
        for (std::size_t n = 0; n < std::min(writers, places.size()); ++n) {
            auto& writer = *writers_.emplace_back(std::make_unique<Writer>());
            writer.client = load.client(core);
            for (std::size_t each = n; each < places.size(); each += writers) writer.places.push_back(places_[each].get());
        }
    }

    int run() {
        for (auto& place : places_) watch(*place);
        load_.run(longest, "watching each site's own API");
        began_ = load_.now();
        for (auto& writer : writers_) edit(*writer);
        load_.run(longest, "edits");
        std::printf("{\"seconds\": %.3f, \"written_seconds\": %.3f, \"edits\": %zu, \"sites\": %zu}\n",
                    milliseconds(all_told_ - began_) / 1000, milliseconds(written_ - began_) / 1000, edits_ * places_.size(),
                    places_.size());
        return 0;
    }

private:
    struct Place {
        std::unique_ptr<http::Client> client;
        std::unique_ptr<http::Call> call;
        std::string name, text;
        std::size_t seen = 0;
    };
    /// Edits sites of its own by turns, so that what comes last to a site is its last edit.
    struct Writer {
        std::unique_ptr<http::Client> client;
        std::unique_ptr<http::Call> call;
        std::vector<Place*> places;
        std::size_t done = 0;
    };

    void watch(Place& place) {
        place.call =
            place.client->stream({.path = sites, .query = {{"watch", "1"}}},
                                 {.head =
                                      [](const http::Response& head) {
                                          if (head.status != 200) give_up("watch: status " + std::to_string(head.status));
                                      },
                                  .piece = [this, &place](std::string piece) { arrived(place, piece); },
                                  .end =
                                      [](Result<void> end) {
                                          give_up("a watch ended: " + (end ? std::string("without error") : end.error().message));
                                      }});
    }

    void arrived(Place& place, const std::string& piece) {
        place.text += piece;
        for (std::size_t end; (end = place.text.find('\n')) != std::string::npos; place.text.erase(0, end + 1)) {
            auto event = parse_json(place.text.substr(0, end));
            if (!event) give_up("an event that is no JSON: " + event.error().message);
            if (place.name.empty()) {
                if (auto* name = event->at({"object", "metadata", "name"}).string()) place.name = *name;
                if (++named_ == places_.size()) load_.loop.stop();
            }
            if (auto* value = event->at({"object", "spec", "values", "edit"}).string()) place.seen = positive(*value);
        }
        settle();
    }

    void edit(Writer& writer) {
        if (writer.done == edits_ * writer.places.size()) {
            if (++finished_ == writers_.size()) written_ = load_.now();
            return settle();
        }
        const Place& place = *writer.places[writer.done % writer.places.size()];
        std::string value = std::to_string(writer.done / writer.places.size() + 1);
        http::Request request{.method = "PATCH",
                              .path = std::string(sites) + "/" + place.name,
                              .body = R"({"spec":{"values":{"edit":")" + value + R"("}}})"};
        request.headers.set("Content-Type", "application/merge-patch+json");
        writer.call = writer.client->send(std::move(request), [this, &writer](Result<http::Response> answer) {
            if (!answer) give_up(answer.error().message);
            if (answer->status != 200)
                give_up("patch: status " + std::to_string(answer->status) + ": " + answer->body.substr(0, 300));
            ++writer.done;
            load_.timers.post([this, &writer] { edit(writer); });
        });
    }

    void settle() {
        if (finished_ < writers_.size()) return;
        for (auto& place : places_)
            if (place->seen < edits_) return;
        all_told_ = load_.now();
        load_.loop.stop();
    }

    Load& load_;
    std::size_t edits_, named_ = 0, finished_ = 0;
    std::vector<std::unique_ptr<Place>> places_;
    std::vector<std::unique_ptr<Writer>> writers_;
    Instant began_, written_, all_told_;
};

int run(int count, char** words) {
    if (count < 4) {
        std::fprintf(stderr, "usage: site_edits EDITS CORE_KUBECONFIG SITE_KUBECONFIG...\n");
        return 2;
    }
    Load load;
    return Edits(load, positive(words[1]), words[2], {words + 3, words + count}).run();
}

} // namespace

} // namespace skerry::bench

int main(int count, char** words) { return skerry::bench::run(count, words); }
