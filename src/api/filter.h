#pragma once

#include "api/resource.h"
#include "base/result.h"
#include "http/message.h"
#include "model/selector.h"

#include <memory>

namespace skerry::model {
class Selector;
}

namespace skerry::api {

/// Which objects of a kind a list or watch is about: project, name, labelSelector, fieldSelector.
class Filter {
public:
    /// `invalid` names the parameter that cannot be read.
    static Result<Filter> parse(const Resource&, const http::Query&);
    Filter(Filter&&) noexcept;
    ~Filter();

    bool matches(const store::Object&) const;
    /// Kind, project and name alone: what can be told of a deleted object.
    bool covers(const store::Key&) const;
    bool selects_by_content() const;

private:
    Filter();
    Resource resource_;
    std::unique_ptr<model::Selector> labels_;
    model::FieldSelector fields_;
    std::string only_name_;
};

} // namespace skerry::api
