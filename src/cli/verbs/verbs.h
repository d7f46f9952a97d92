#pragma once

#include "cli/line/command.h"

#include <string>

namespace skerry::cli {

inline constexpr const char* objects_group = "Objects";
inline constexpr const char* apps_group = "Apps and images";
inline constexpr const char* access_group = "Sites and access";

Command get_command();
Command describe_command();
Command apply_command();
Command delete_command();
Command label_command();
Command wait_command();
Command explain_command();
Command logs_command();
Command image_push_command();
Command image_list_command();
Command revision_revoke_command();
Command override_list_command();
Command override_adopt_command();
Command override_promote_command();
Command override_drop_command();
Command token_create_command();
Command site_revoke_command();
Command site_decommission_command();
Command node_revoke_command();
Command ca_status_command();
Command ca_rotate_command();
Command courier_pack_command();
Command courier_apply_command();
Command courier_show_command();
Command access_grant_command();
Command access_list_command();
Command access_revoke_command();
Command login_command();
Command version_command(std::string version);

} // namespace skerry::cli
