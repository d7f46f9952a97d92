#include "cli/line/command.h"
#include "drivers/container/unpack_main.h"
#include "main/commands.h"
#include "main/version.h"

#include <string>
#include <vector>

int main(int argc, char** argv) {
    using namespace skerry;
    if (argc > 1 && argv[1] == drivers::container::unpack_verb) {
        std::vector<std::string> arguments(argv + 2, argv + argc);
        return drivers::container::unpack_main(arguments);
    }
    std::vector<cli::Command> commands = main::daemon_commands();
    for (auto& command : cli::client_commands(main::version)) commands.push_back(std::move(command));
    return cli::run_commands(argc, argv, commands, main::version);
}
