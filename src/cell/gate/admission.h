#pragma once

#include "base/result.h"
#include "model/text/mapping.h"
#include "store/store.h"
#include "trust/tokens/rights.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace google::protobuf {
class Message;
}

namespace skerry::cell {

/// Why a write was refused: one code, one sentence, and each problem with its field.
struct Refusal {
    Error error;
    std::vector<model::Problem> problems;
};

struct Admitted {
    store::ObjectPtr object; ///< as it now stands (or would stand, in a dry run)
    enum class Change { created, updated, unchanged, deleted } change = Change::unchanged;
    std::vector<std::string> warnings; ///< for the user, such as "image retail/pos:4.2 has no copy yet"
};

struct WriteOptions {
    bool dry_run = false;
};

struct Preconditions {
    std::optional<std::string> uid;
    std::optional<std::string> resource_version;
};

using Answer = std::function<void(std::expected<Admitted, Refusal>)>;

/// The one gate for writes of users: authorise, default, validate, then commit. `api/` and simulated operators both come through
/// here. Nothing changes on a refusal. Answers arrive when the write is durable, in any order.
class Admission {
public:
    virtual ~Admission() = default;

    /// `object` is a whole object of `kind` without status. `exists` if the name is taken.
    virtual void create(const trust::Identity&, model::Kind, std::unique_ptr<google::protobuf::Message> object, WriteOptions,
                        Answer) = 0;
    /// Replaces metadata that users may change, and spec. metadata.resourceVersion and uid, where given, must match (`conflict`).
    /// An object that comes out the same takes no number and no generation.
    virtual void update(const trust::Identity&, model::Kind, std::unique_ptr<google::protobuf::Message> object, WriteOptions,
                        Answer) = 0;
    /// Status written by its owner (rule: a site's or node's identity only its own).
    virtual void update_status(const trust::Identity&, model::Kind, std::unique_ptr<google::protobuf::Message> object,
                               WriteOptions, Answer) = 0;
    virtual void remove(const trust::Identity&, const store::Key&, Preconditions, WriteOptions, Answer) = 0;
    /// Whether this caller may read objects of a kind in a project ("" = all).
    virtual Result<void> may_read(const trust::Identity&, model::Kind, std::string_view project, std::string_view name) = 0;
};

} // namespace skerry::cell
