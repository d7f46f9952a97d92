#include "cli/client/client.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

Command version_command(std::string version) {
    return {.name = "version",
            .summary = "Print the versions of this program and of the server",
            .details = {},
            .examples = {"skerry version", "skerry version --client"},
            .arguments = {},
            .options = with_connection({{.names = "--client", .value = "", .help = "ask no server"}}),
            .run =
                [version](const Invocation& call) {
                    std::printf("Client: %s\n", version.c_str());
                    if (call.has("client")) return 0;
                    return with_session(call, [](Session& session) -> Result<int> {
                        http::Request request;
                        request.path = "/version";
                        Json answer = TRY(session.ask(std::move(request)));
                        auto own = answer.text("skerryVersion");
                        std::printf("Server: %s (%s)\n", printable(own.empty() ? answer.text("gitVersion") : own).c_str(),
                                    session.connection().server.c_str());
                        return 0;
                    });
                },
            .group = access_group};
}

} // namespace skerry::cli
