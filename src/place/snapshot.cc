#include "place/place.h"

#include <utility>

namespace skerry::place {

void Snapshot::add(Candidate candidate) {
    name.push_back(std::move(candidate.name));
    labels.push_back(candidate.labels);
    jurisdiction.push_back(std::move(candidate.jurisdiction));
    cpu_free.push_back(candidate.cpu_free);
    memory_free.push_back(candidate.memory_free);
    machines.push_back(candidate.machines);
    used_ports.push_back(std::move(candidate.used_ports));
    open.push_back(candidate.open);
    holds_image.push_back(candidate.holds_image);
    replicas.push_back(candidate.replicas);
}

} // namespace skerry::place
