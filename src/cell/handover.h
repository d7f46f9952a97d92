#pragma once

#include "base/ids.h"
#include "model/annotations.h"
#include "store/store.h"

#include <array>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace skerry::cell {

/// How a site that is decommissioned hands over what it decides (rule H6).
///
/// People ask for it by an annotation of the Site (`model::decommission_annotation`). From then on nobody makes or edits Apps, Secrets
/// and Configs of its own there. The site says of each object that its home is the parent, one generation on, and sends it; the parent
/// takes it in, and sends it back as its own. Only that makes the site let go: it then holds a copy.

/// What is handed over, in this order: what others need goes before them, and the App is the parent's last.
inline constexpr std::array handed_over{model::Kind::secret, model::Kind::config, model::Kind::revision, model::Kind::allocation,
                                        model::Kind::app};

bool is_leaving(const store::Store&, std::string_view site);
/// As the site itself reports it: condition `Leaving`, reason `HandedOver`.
bool has_handed_over(const store::Store&, std::string_view site);
/// Empty: it is for any site.
std::string only_site_of(const google::protobuf::Message&);
/// Of an App of this cell: what belongs to it may be on its way from a site that hands it over; until then it stays as it is.
bool in_passage(const store::Store&, const store::Object& app);
/// At the site: made or edited here, and said to be the parent's, which has not sent it back yet.
bool is_handed_over(const store::Object&, CellId self);

/// Why a parent does not take this in from the site; empty: it does. A site in wrong hands decides no more by it than it did: a
/// Revision is of an App of that site, a Secret or Config is read by one, and all of it is for that site only.
std::string handover_problem(const store::Store&, const std::string& site, CellId from, const store::Key&,
                             const google::protobuf::Message& content);

} // namespace skerry::cell
