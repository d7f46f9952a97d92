#include "api/filter.h"

#include "model/meta.pb.h"
#include "model/parts.h"

namespace skerry::api {

Filter::Filter() = default;
Filter::Filter(Filter&&) noexcept = default;
Filter::~Filter() = default;

Result<Filter> Filter::parse(const Resource& resource, const http::Query& query) {
    Filter filter;
    filter.resource_ = resource;
    if (auto text = query.get("labelSelector"); !text.empty())
        filter.labels_ = std::make_unique<model::Selector>(TRY(model::parse_label_selector(text) | during("labelSelector")));
    if (auto text = query.get("fieldSelector"); !text.empty()) {
        filter.fields_ =
            TRY(model::FieldSelector::parse(own_field_selector(resource.view, std::string(text))) | during("fieldSelector"));
        TRY_VOID(filter.fields_.check(resource.kind) | during("fieldSelector"));
        for (auto& term : filter.fields_.terms())
            if (term.equal && term.path == "metadata.name") filter.only_name_ = term.value;
    }
    return filter;
}

bool Filter::covers(const store::Key& key) const {
    if (key.kind != resource_.kind) return false;
    if (!resource_.project.empty() && key.project != resource_.project) return false;
    if (!resource_.name.empty() && key.name != resource_.name) return false;
    return only_name_.empty() || key.name == only_name_;
}

bool Filter::selects_by_content() const { return labels_ || !fields_.empty(); }

bool Filter::matches(const store::Object& object) const {
    if (!covers(object.key)) return false;
    if (labels_ && !model::matches(*labels_, model::metadata(object.message()).labels())) return false;
    return fields_.empty() || fields_.matches(object.message());
}

} // namespace skerry::api
