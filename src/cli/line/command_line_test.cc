#include "cli/client/targets.h"
#include "cli/field_path.h"
#include "cli/line/command.h"
#include "cli/line/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace skerry::cli {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

struct CommandLine : testing::Test {
    Invocation got;
    std::string ran;
    std::vector<Command> commands;
    std::string out, err;

    CommandLine() {
        add({.name = "get",
             .summary = "Show things",
             .examples = {"skerry get apps -A"},
             .arguments = {{.name = "KIND",
                            .suggest =
                                [](const Invocation&) {
                                    return std::vector<std::string>{"apps", "sites"};
                                }},
                           {.name = "NAME",
                            .required = false,
                            .repeatable = true,
                            .suggest =
                                [](const Invocation& call) { return std::vector<std::string>{call.arguments[0] + "-1"}; }}},
             .options = {{.names = "-o,--output", .value = "FORMAT", .help = "how", .choices = {"json", "yaml"}},
                         {.names = "-A,--all", .value = "", .help = "all"},
                         {.names = "-f,--filename", .value = "FILE", .help = "file", .repeatable = true},
                         {.names = "--wait", .value = "", .help = "wait", .choices = {"true", "false"}},
                         {.names = "-n,--namespace,--project", .value = "NAME", .help = "project", .shared = true}}});
        add({.name = "up", .summary = "Run it", .options = {{.names = "-v,--verbose", .value = "", .help = "more"}}});
        add({.name = "image push", .summary = "Send", .arguments = {{.name = "FROM"}, {.name = "NAME"}}});
        add({.name = "image list", .summary = "Show"});
        add({.name = "site", .summary = "Run one", .options = {{.names = "--join", .value = "TOKEN", .help = "how"}}});
        add({.name = "site revoke", .summary = "Refuse one", .arguments = {{.name = "NAME"}}});
    }

    void add(Command command) {
        command.run = [this, name = command.name](const Invocation& call) {
            got = call;
            ran = name;
            return 0;
        };
        commands.push_back(std::move(command));
    }

    int run(std::vector<const char*> words) {
        words.insert(words.begin(), "skerry");
        ran.clear();
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        int status = run_commands(static_cast<int>(words.size()), words.data(), commands, "1.2");
        out = testing::internal::GetCapturedStdout();
        err = testing::internal::GetCapturedStderr();
        return status;
    }
};

} // namespace

TEST_F(CommandLine, two_words_come_before_one) {
    EXPECT_EQ(run({"site", "revoke", "store-17"}), 0);
    EXPECT_EQ(ran, "site revoke");
    EXPECT_EQ(run({"site", "--join", "token"}), 0);
    EXPECT_EQ(ran, "site");
    EXPECT_EQ(run({"site"}), 0);
    EXPECT_EQ(ran, "site");
}

TEST_F(CommandLine, OptionsAndArgumentsInAnyOrder) {
    ASSERT_EQ(run({"get", "-o", "json", "apps", "--all", "till", "-f", "-", "-fa", "--filename=b", "shop"}), 0) << err;
    EXPECT_EQ(got.get("output"), "json");
    EXPECT_TRUE(got.has("all"));
    EXPECT_THAT(got.all("filename"), ElementsAre("-", "a", "b"));
    EXPECT_THAT(got.arguments, ElementsAre("apps", "till", "shop"));
}

TEST_F(CommandLine, SharedOptionsStandAnywhereUnderAllNames) {
    ASSERT_EQ(run({"-n", "retail", "get", "apps"}), 0) << err;
    EXPECT_EQ(got.get("project"), "retail");
    ASSERT_EQ(run({"get", "apps", "--namespace", "x"}), 0) << err;
    EXPECT_EQ(got.get("project"), "x");
    ASSERT_EQ(run({"--project=a", "get", "-nb", "apps"}), 0) << err;
    EXPECT_EQ(got.get("project"), "b");
    EXPECT_EQ(run({"-n", "retail", "up"}), 2);
    EXPECT_THAT(err, HasSubstr("no option --project"));
}

TEST_F(CommandLine, Flags) {
    ASSERT_EQ(run({"get", "apps", "--wait=false", "--all=false"}), 0) << err;
    EXPECT_EQ(got.get("wait"), "false");
    EXPECT_FALSE(got.has("all"));
    ASSERT_EQ(run({"get", "apps", "--wait"}), 0) << err;
    EXPECT_TRUE(got.has("wait"));
    EXPECT_NE(got.get("wait"), "false");
    EXPECT_EQ(run({"get", "apps", "--all=soon"}), 2);
    EXPECT_EQ(run({"up", "-vv"}), 0) << err;
}

TEST_F(CommandLine, WordsThatAreNamesOfCommandsAreArguments) {
    ASSERT_EQ(run({"get", "image", "up", "get"}), 0) << err;
    EXPECT_THAT(got.arguments, ElementsAre("image", "up", "get"));
    ASSERT_EQ(run({"get", "apps", "--", "-x", "--y"}), 0) << err;
    EXPECT_THAT(got.arguments, ElementsAre("apps", "-x", "--y"));
    ASSERT_EQ(run({"get", "apps", "tier-", "[a,b]"}), 0) << err;
    EXPECT_THAT(got.arguments, ElementsAre("apps", "tier-", "[a,b]"));
}

TEST_F(CommandLine, VerbsOfNouns) {
    ASSERT_EQ(run({"image", "push", "-", "a:1"}), 0) << err;
    EXPECT_EQ(ran, "image push");
    EXPECT_THAT(got.arguments, ElementsAre("-", "a:1"));
    EXPECT_EQ(run({"image"}), 2);
    EXPECT_EQ(run({"image", "psh"}), 2);
    EXPECT_THAT(err, HasSubstr("did you mean push?"));
    EXPECT_EQ(run({"image", "--help"}), 0);
    EXPECT_THAT(out, HasSubstr("image list"));
}

TEST_F(CommandLine, WrongOnesAreExplained) {
    EXPECT_EQ(run({}), 2);
    EXPECT_EQ(run({"gte"}), 2);
    EXPECT_THAT(err, HasSubstr("did you mean get?"));
    EXPECT_EQ(run({"get"}), 2);
    EXPECT_THAT(err, HasSubstr("KIND is missing"));
    EXPECT_EQ(run({"get", "apps", "--ouput", "json"}), 2);
    EXPECT_THAT(err, HasSubstr("did you mean --output?"));
    EXPECT_EQ(run({"get", "apps", "-o", "jsno"}), 2);
    EXPECT_THAT(err, HasSubstr("did you mean json?"));
    EXPECT_EQ(run({"get", "apps", "-o"}), 2);
    EXPECT_THAT(err, HasSubstr("-o"));
    EXPECT_EQ(run({"image", "push", "a", "b", "c"}), 2);
    EXPECT_THAT(err, HasSubstr("\"c\" is one word too many"));
    EXPECT_EQ(run({"--nonsense", "get"}), 2);
    EXPECT_EQ(ran, "");
}

TEST_F(CommandLine, Help) {
    EXPECT_EQ(run({"--help"}), 0);
    EXPECT_THAT(out, HasSubstr("Run Skerry on this machine"));
    EXPECT_THAT(out, Not(HasSubstr("__complete")));
    for (auto words : {std::vector<const char*>{"get", "--help"}, {"get", "-h"}, {"help", "get"}}) {
        EXPECT_EQ(run(words), 0);
        EXPECT_THAT(out, HasSubstr("Usage: skerry get KIND [NAME...] [options]"));
        EXPECT_THAT(out, HasSubstr("skerry get apps -A"));
        EXPECT_THAT(out, HasSubstr("-o, --output FORMAT"));
        EXPECT_EQ(ran, "");
    }
    EXPECT_EQ(run({"--version"}), 0);
    EXPECT_EQ(out, "skerry 1.2\n");
}

TEST_F(CommandLine, Completion) {
    EXPECT_THAT(complete(commands, {"g"}), ElementsAre("get\tShow things"));
    EXPECT_THAT(complete(commands, {""}), Contains("image"));
    EXPECT_THAT(complete(commands, {"image", ""}), ElementsAre("push\tSend", "list\tShow"));
    EXPECT_THAT(complete(commands, {"get", "s"}), ElementsAre("sites"));
    EXPECT_THAT(complete(commands, {"-n", "x", "get", "-A", "sites", ""}), ElementsAre("sites-1"));
    EXPECT_THAT(complete(commands, {"get", "-o", ""}), ElementsAre("json", "yaml"));
    EXPECT_THAT(complete(commands, {"get", "--out"}), ElementsAre("--output\thow"));
    EXPECT_TRUE(complete(commands, {"get", "-f", ""}).empty());
    EXPECT_TRUE(complete(commands, {"nothing", "here", ""}).empty());
    EXPECT_EQ(run({"__complete", "--", "get", "-o", "j"}), 0);
    EXPECT_EQ(out, "json\n");
    for (auto shell : {"bash", "zsh", "fish"}) {
        EXPECT_EQ(run({"completion", shell}), 0);
        EXPECT_THAT(out, HasSubstr("skerry __complete"));
    }
    EXPECT_EQ(run({"completion", "csh"}), 2);
}

TEST(ClientCommands, TableHasNoClashes) {
    auto commands = client_commands("1");
    for (const Command& command : commands) {
        std::set<std::string> seen{"-h", "--help"};
        for (const Option& option : command.options)
            for (auto& name : std::vector<std::string>{option.names}) {
                std::string rest = name;
                for (std::size_t at = 0; at <= rest.size();) {
                    std::size_t comma = std::min(rest.find(',', at), rest.size());
                    EXPECT_TRUE(seen.insert(rest.substr(at, comma - at)).second) << command.name << " " << rest;
                    at = comma + 1;
                }
            }
        EXPECT_FALSE(command.summary.empty() || command.summary.ends_with('.')) << command.name;
        EXPECT_FALSE(command.examples.empty()) << command.name;
    }
}

TEST(Targets, KindsAndNames) {
    auto parse = [](std::vector<std::string> words) { return parse_targets(words, "retail"); };
    EXPECT_EQ(parse({"apps,sites"})->kinds.size(), 2u);
    EXPECT_GT(parse({"all"})->kinds.size(), 3u);
    auto named = parse({"app", "till", "shop"});
    ASSERT_TRUE(named);
    EXPECT_EQ(named->named[1].path(), "/apis/skerry/v1/namespaces/retail/apps/shop");
    auto mixed = parse({"app/till", "site/paris"});
    ASSERT_TRUE(mixed);
    EXPECT_EQ(mixed->named[1].path(), "/apis/skerry/v1/sites/paris");
    EXPECT_THAT(parse({"aps"}).error().message, HasSubstr("did you mean"));
    for (auto bad : {std::vector<std::string>{},
                     {""},
                     {","},
                     {"app/"},
                     {"app/till", "x"},
                     {"app", "a/b"},
                     {"app/.."},
                     {"app/a/../../sites"}})
        EXPECT_FALSE(parse(bad));
}

TEST(FieldPath, FindsAndRefuses) {
    Json object = *parse_json(R"({"spec":{"c":[{"name":"a","n":1},{"name":"b","n":2}]},"metadata":{"labels":{"x.y/z":"v"}}})");
    auto text = [&](const char* path) { return FieldPath::parse(path)->text(object); };
    EXPECT_EQ(text("spec.c[1].n"), "2");
    EXPECT_EQ(text("{.spec.c[name=a].n}"), "1");
    EXPECT_EQ(text("metadata.labels[x.y/z]"), "v");
    EXPECT_EQ(text("spec.c[7].n"), "");
    EXPECT_EQ(text("spec.none.more"), "");
    for (auto bad : {"", ".", "a..b", "a.", "[", "a[]", "a[1", "a]b[", "{}", "[0]x"}) {
        auto parsed = FieldPath::parse(bad);
        EXPECT_TRUE(!parsed || std::string(bad) == "a]b[") << bad;
    }
    std::string deep = "a";
    for (int i = 0; i < 40; ++i) deep += ".a";
    EXPECT_FALSE(FieldPath::parse(deep));
}

} // namespace skerry::cli
