#pragma once

#include "base/result.h"
#include "model/kind.h"

#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
template<typename K, typename V>
class Map;
}

namespace skerry::model {

class Selector;
/// Both kinds of selector, as text and as message: bytes, and terms or values of a term.
constexpr int longest_selector = 4096, most_selector_terms = 64;
using Labels = google::protobuf::Map<std::string, std::string>;

/// kubectl's syntax: `a=b,c==d,e!=f,g in (x,y),h notin (z),i,!j`. Empty text selects everything.
Result<Selector> parse_label_selector(std::string_view text);
/// All parts hold. As in Kubernetes, NotIn (`!=`) holds also where the label is absent. An unknown operator never holds.
bool matches(const Selector&, const Labels&);

/// `metadata.name=a,spec.site!=b`: fields in the API's spelling against text.
class FieldSelector {
public:
    /// Empty text selects everything.
    static Result<FieldSelector> parse(std::string_view text);

    bool empty() const { return terms_.empty(); }
    /// Every path must lead to a text, number or boolean of the kind; else `invalid`, naming the path. `metadata.namespace`
    /// counts for every kind.
    Result<void> check(Kind) const;
    /// An absent field counts as "".
    bool matches(const google::protobuf::Message&) const;

    struct Term {
        std::string path;
        bool equal = true;
        std::string value;
    };
    const std::vector<Term>& terms() const { return terms_; }

private:
    std::vector<Term> terms_;
};

} // namespace skerry::model
