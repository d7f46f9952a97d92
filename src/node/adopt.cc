#include "node/node_loop.h"

#include "base/log.h"
#include "model/instance.pb.h"

#include <utility>

/// What survived: drivers first, then the network, before any step is taken.
namespace skerry::node {

namespace {
constexpr Duration probe_again = 60s;
constexpr Duration adopt_again = 5s;
} // namespace

void NodeLoop::load_notes() {
    if (std::exchange(notes_loaded_, true)) return;
    for (const auto& [key, bytes] : cell_.store().notes(note_space)) {
        auto uid = Id::parse(key);
        auto note = Note::parse(bytes);
        if (!uid || !note) {
            log(Level::warning, "node", "note {} is unreadable and ignored: the instance is looked for on the machine", key);
            continue;
        }
        Run& run = runs_[Uid(*uid)];
        run.uid = Uid(*uid);
        run.key = {model::Kind::instance, note->project, note->name};
        run.noted = true;
        run.note = std::move(*note);
    }
}

/// True once every runtime has answered to its probe, those that work are adopted, and so is the network.
bool NodeLoop::ensure_adopted(const WantedByUid& wanted) {
    load_notes();
    if (adopting_ || !ensure_recalled()) return false;
    bool first = false;
    for (const auto& [name, runtime] : runtimes_) {
        if (runtime.adopted) continue;
        // One that does not work on this machine keeps nobody waiting; one that works and could not be adopted yet does.
        if (!runtime.probed || runtime.trouble.code != Code::unsupported) first = true;
        if (runtime.retry <= now()) {
            adopt_runtimes();
            return false;
        }
        wake_at(runtime.retry);
    }
    if (first) return false;
    if (!network_adopted_) {
        if (network_retry_ <= now())
            adopt_network(wanted);
        else
            wake_at(network_retry_);
        return false;
    }
    return true;
}

void NodeLoop::adopt_runtimes() {
    struct Answer {
        std::string name;
        drivers::Driver* driver = nullptr;
        std::vector<drivers::Handle> handles;
        Result<void> probe;
        Result<std::vector<drivers::Found>> found;
    };
    auto answers = std::make_shared<std::vector<Answer>>();
    for (const auto& [name, runtime] : runtimes_) {
        if (runtime.adopted || runtime.retry > now()) continue;
        Answer answer{.name = name, .driver = runtime.driver, .handles = {}, .probe = {}, .found = {}};
        for (const auto& [uid, run] : runs_)
            if (run.note.runtime == name && !run.note.handle.empty()) answer.handles.push_back(run.note.handle);
        answers->push_back(std::move(answer));
    }
    adopting_ = true;
    cell_.env().workers.run(
        "adopt",
        [answers] {
            for (Answer& answer : *answers) {
                answer.probe = answer.driver->probe();
                if (answer.probe) answer.found = answer.driver->adopt(answer.handles);
            }
        },
        [this, weak = std::weak_ptr(alive_), answers] {
            if (weak.expired()) return;
            adopting_ = false;
            for (Answer& answer : *answers) {
                Runtime& runtime = runtimes_.at(answer.name);
                runtime.probed = true;
                if (!answer.probe) {
                    runtime.trouble = {Code::unsupported, answer.probe.error().message};
                    runtime.retry = now() + probe_again;
                } else if (!answer.found) {
                    runtime.trouble = {Code::unavailable, answer.found.error().message};
                    runtime.retry = now() + adopt_again;
                    log(Level::warning, "node", "adopting of {} failed, tried again soon: {}", answer.name,
                        answer.found.error().message);
                } else {
                    runtime.adopted = true;
                    runtime.trouble = {};
                    take_back(answer.name, *answer.found);
                }
            }
            wake();
        });
}

void NodeLoop::take_back(const std::string& runtime, const std::vector<drivers::Found>& found) {
    std::size_t running = 0;
    for (const auto& one : found) {
        auto id = Id::parse(one.name);
        if (!id) {
            log(Level::warning, "node", "{} holds {}, which is no instance's name; it is left alone", runtime, one.name);
            continue;
        }
        Run& run = runs_[Uid(*id)];
        run.uid = Uid(*id);
        if (!run.noted) {
            // The store was lost, or the note: what was reported last says what runs.
            run.note.runtime = runtime;
            for (const auto& object : cell_.store().list(model::Kind::instance)) {
                if (object->uid != run.uid) continue;
                const auto& status = store::as<model::Instance>(*object).status();
                run.key = object->key;
                run.note.hash = status.hash();
                run.note.revision = status.revision();
                run.note.digest = status.image_digest();
                run.note.restarts = status.restarts();
                for (std::uint32_t port : status.published())
                    run.note.ports.push_back({.number = static_cast<std::uint16_t>(port)});
            }
        }
        run.note.handle = one.handle;
        run.pid = one.look.pid;
        run.remark = one.look.remark;
        switch (one.look.phase) {
        case drivers::Phase::created:
            run.presence = plan::Presence::created;
            break;
        case drivers::Phase::running:
        case drivers::Phase::suspended:
            run.presence = plan::Presence::running;
            run.started = now();
            run.asked_until = now() + run.note.stop_grace; // if it still is to stop, it is asked again
            ++running;
            event(run, cell::Tone::normal, "Adopted",
                  "runs on over a restart of its node's daemon, pid " + std::to_string(run.pid));
            break;
        case drivers::Phase::exited:
        case drivers::Phase::lost:
            if (run.note.stopping)
                run.presence = one.look.phase == drivers::Phase::lost ? plan::Presence::lost : plan::Presence::exited;
            else
                ended(run, one.look);
            break;
        }
    }
    // Asked to start, and nothing of it there: as if it had never been asked.
    for (auto& [uid, run] : runs_)
        if (run.note.runtime == runtime && run.note.handle.empty()) run.presence = plan::Presence::nothing;
    if (!found.empty()) log(Level::info, "node", "{}: {} found, {} of them running", runtime, found.size(), running);
}

void NodeLoop::adopt_network(const WantedByUid& wanted) {
    auto names = std::make_shared<std::set<drivers::InstanceName>>();
    for (const auto& [uid, one] : wanted) names->insert(instance_name(uid));
    for (const auto& [uid, run] : runs_) names->insert(instance_name(uid));
    struct Answer {
        std::vector<drivers::InstanceName> connected;
        std::vector<std::pair<drivers::InstanceName, drivers::Attachment>> attachments;
        Result<void> outcome;
    };
    std::map<drivers::InstanceName, drivers::network::Wish> wishes;
    for (const auto& [uid, one] : wanted) {
        auto run = runs_.find(uid);
        // Only what runs as wanted is connected anew in words that may have changed.
        if (run == runs_.end() || run->second.presence != plan::Presence::running || !one.closed ||
            run->second.note.hash != one.plan.hash)
            continue;
        if (auto spec = spec_for(cell_.store(), one, options_.name)) wishes[spec->name] = network_wish(one, *spec);
    }
    auto answer = std::make_shared<Answer>();
    adopting_ = true;
    cell_.env().workers.run(
        "network",
        [network = options_.network, names, wishes = std::move(wishes), answer] {
            answer->outcome = network->probe();
            if (!answer->outcome) return;
            std::vector<drivers::InstanceName> list(names->begin(), names->end());
            auto adopted = network->adopt(list);
            if (!adopted) {
                answer->outcome = std::unexpected(adopted.error());
                return;
            }
            answer->connected = std::move(*adopted);
            for (const auto& name : answer->connected) {
                auto wish = wishes.find(name);
                if (wish == wishes.end()) continue;
                if (auto attachment = network->connect(wish->second))
                    answer->attachments.emplace_back(name, std::move(*attachment));
            }
        },
        [this, weak = std::weak_ptr(alive_), answer] {
            if (weak.expired()) return;
            adopting_ = false;
            if (!answer->outcome) {
                network_trouble_ = answer->outcome.error();
                network_retry_ = now() + adopt_again;
                log(Level::warning, "node", "network: {}", network_trouble_.message);
            } else {
                network_adopted_ = true;
                network_trouble_ = {};
                mend_later();
                for (const auto& name : answer->connected)
                    if (auto id = Id::parse(name)) {
                        Run& run = runs_[Uid(*id)];
                        run.uid = Uid(*id);
                        run.connected = true;
                    }
                for (auto& [name, attachment] : answer->attachments)
                    if (auto id = Id::parse(name)) runs_.at(Uid(*id)).attachment = std::move(attachment);
            }
            wake();
        });
}

} // namespace skerry::node
