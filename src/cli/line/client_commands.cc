#include "cli/line/command.h"
#include "cli/verbs/verbs.h"

namespace skerry::cli {

std::vector<Command> client_commands(std::string version) {
    return {apply_command(),
            get_command(),
            describe_command(),
            delete_command(),
            label_command(),
            wait_command(),
            explain_command(),
            logs_command(),
            image_push_command(),
            image_list_command(),
            revision_revoke_command(),
            override_list_command(),
            override_adopt_command(),
            override_promote_command(),
            override_drop_command(),
            token_create_command(),
            site_revoke_command(),
            site_decommission_command(),
            node_revoke_command(),
            ca_status_command(),
            ca_rotate_command(),
            courier_pack_command(),
            courier_apply_command(),
            courier_show_command(),
            access_grant_command(),
            access_list_command(),
            access_revoke_command(),
            login_command(),
            version_command(std::move(version))};
}

} // namespace skerry::cli
