#pragma once

#include "cell/gate/admission.h"
#include "env/env.h"

namespace skerry::model {
class Override;
}

namespace skerry::cell {

/// Admission into one store.
class Gate final : public Admission {
public:
    /// Names the cell with this id for people: "site store-17".
    using NameOf = std::function<std::string(CellId)>;
    /// Whether that cell is known to exist still.
    using Exists = std::function<bool(CellId)>;
    /// At a site, an edit of an App that is decided elsewhere becomes Overrides (rule W2).
    Gate(env::Env env, store::Store& store, env::Peer self, NameOf name_of, Exists exists)
        : env_(env), store_(store), self_(std::move(self)), name_of_(std::move(name_of)), exists_(std::move(exists)) {}

    void create(const trust::Identity&, model::Kind, std::unique_ptr<google::protobuf::Message>, WriteOptions, Answer) override;
    void update(const trust::Identity&, model::Kind, std::unique_ptr<google::protobuf::Message>, WriteOptions, Answer) override;
    void update_status(const trust::Identity&, model::Kind, std::unique_ptr<google::protobuf::Message>, WriteOptions,
                       Answer) override;
    void remove(const trust::Identity&, const store::Key&, Preconditions, WriteOptions, Answer) override;
    Result<void> may_read(const trust::Identity&, model::Kind, std::string_view project, std::string_view name) override;

private:
    using Checked = std::expected<void, Refusal>;

    Checked may_touch(const trust::Identity&, trust::Verb, model::Kind, const google::protobuf::Message&) const;
    Checked may_write(const trust::Identity&, trust::Verb, model::Kind, const google::protobuf::Message&) const;
    Checked check(const trust::Identity&, model::Kind, const google::protobuf::Message*, const google::protobuf::Message&) const;
    /// A Site is made above its sites, a Node at its site: anywhere else it would be a home for nobody.
    /// Sites stand below this cell.
    bool is_region() const;
    Checked is_made_here(model::Kind, const google::protobuf::Message&) const;
    /// What a site that is decommissioned decides is on its way to the parent (rule H6).
    Checked decides_still(model::Kind) const;
    Checked may_revoke(const trust::Identity&, const google::protobuf::Message& was, google::protobuf::Message& becomes) const;
    void override_app(const trust::Identity&, store::ObjectPtr, std::unique_ptr<google::protobuf::Message>, WriteOptions, Answer);
    Checked complete_override(const trust::Identity&, model::Override&, const model::Override* before) const;
    Checked still_shown(const store::Object& app, std::string_view uid, std::string_view version) const;
    /// What a user cannot change: metadata of `was`, no status.
    static void take_identity(google::protobuf::Message&, const google::protobuf::Message& was);
    Checked may_vanish(const store::Object&) const;
    std::vector<std::string> warnings(model::Kind, const google::protobuf::Message&) const;
    std::vector<std::string> farewell(const store::Key&) const;
    void commit(store::Transaction, store::ObjectPtr, Admitted, Code on_conflict, Answer);
    void answer_soon(Answer, std::expected<Admitted, Refusal>);

    env::Env env_;
    store::Store& store_;
    env::Peer self_;
    NameOf name_of_;
    Exists exists_;
};

} // namespace skerry::cell
