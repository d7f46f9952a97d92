#include "cli/command.h"
#include "cli/verbs/verbs.h"

namespace skerry::cli {

std::vector<Command> client_commands(std::string version) {
    return {apply_command(), get_command(), image_push_command(), image_list_command(), token_create_command(), version_command(std::move(version))};
}

} // namespace skerry::cli
