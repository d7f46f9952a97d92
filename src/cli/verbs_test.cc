#include "cli/client/client.h"
#include "cli/client/fake_api.h"
#include "cli/three_way.h"

#include <algorithm>
#include <csignal>

namespace skerry::cli {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

constexpr const char* till_path = "/apis/skerry/v1/namespaces/default/apps/till";
constexpr const char* override_path = "/apis/skerry/v1/namespaces/default/overrides/o";
constexpr const char* till = "apiVersion: skerry/v1\nkind: App\nmetadata: {name: till}\nspec: {components: [{name: pos, image: "
                             "'pos:1'}], state: running}\n";

} // namespace

TEST_F(VerbTest, ApplyCreatesConfiguresAndLeavesAlone) {
    std::string file = write("till.yaml", till);
    EXPECT_EQ(run({"apply", "-f", file}), 0) << err;
    EXPECT_EQ(out, "app/till created\n");
    EXPECT_EQ(run({"apply", "-f", file}), 0) << err;
    EXPECT_EQ(out, "app/till unchanged\n");
    write("till.yaml", "apiVersion: skerry/v1\nkind: App\nmetadata: {name: till, labels: {a: b}}\nspec: {components: [{name: "
                       "pos, image: 'pos:2'}]}\n");
    EXPECT_EQ(run({"apply", "-f", file, "--dry-run"}), 0) << err;
    EXPECT_EQ(out, "app/till configured (dry run)\n");
    EXPECT_EQ(api.objects[till_path].at({"spec"}).text("state"), "running");
    EXPECT_EQ(run({"apply", "-f", file}), 0) << err;
    EXPECT_EQ(out, "app/till configured\n");
    EXPECT_EQ(api.objects[till_path].at({"metadata", "labels"}).text("a"), "b");
    EXPECT_TRUE(api.objects[till_path].at({"spec", "state"}).is_null());
    EXPECT_THAT(api.requests, Contains(StartsWith("PATCH " + std::string(till_path) + "?fieldValidation=Strict")));
}

TEST_F(VerbTest, ApplyTakesTurnsWithKubectl) {
    Json theirs = Json::object({{"apiVersion", "skerry/v1"},
                                {"kind", "App"},
                                {"metadata", Json::object({{"name", "till"}, {"labels", Json::object({{"old", "1"}})}})},
                                {"spec", Json::object({{"x", "others"}})}});
    Json applied = theirs;
    applied.erase("spec");
    theirs.find("metadata")
        ->set("annotations", Json::object({{std::string(last_applied_annotation), write_last_applied(applied)}}));
    api.objects[till_path] = theirs;
    EXPECT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    EXPECT_EQ(api.objects[till_path].at({"spec"}).text("x"), "others");
    EXPECT_TRUE(api.objects[till_path].at({"metadata", "labels", "old"}).is_null());
}

TEST_F(VerbTest, ApplyTriesAllAndFailsIfOneWasRefused) {
    api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (request.method != "POST" || request.body.find("bad") == std::string::npos) return false;
        responder->respond(FakeApi::refusal(422, "Invalid", "App \"bad\": spec.components: is missing"));
        return true;
    });
    std::string file = write(
        "two.yaml", "apiVersion: skerry/v1\nkind: App\nmetadata: {name: bad}\n---\nkind: Appp\napiVersion: skerry/v1\n---\n" +
                        std::string(till));
    EXPECT_EQ(run({"apply", "-f", file}), 1);
    EXPECT_EQ(out, "app/till created\n");
    EXPECT_THAT(err, HasSubstr("app/bad refused: App \"bad\": spec.components: is missing"));
    EXPECT_THAT(err, HasSubstr("two.yaml: kind: \"Appp\" is not known (try App)"));
}

TEST_F(VerbTest, ApplyReadsFolders) {
    std::filesystem::create_directories(folder + "/m/deep");
    write("m/a.yaml", till);
    write("m/deep/b.json", R"({"apiVersion":"skerry/v1","kind":"Site","metadata":{"name":"paris"}})");
    write("m/notes.txt", "not: [yaml");
    EXPECT_EQ(run({"apply", "-f", folder + "/m"}), 0) << err;
    EXPECT_EQ(out, "app/till created\n");
    EXPECT_EQ(run({"apply", "-R", "-f", folder + "/m"}), 0) << err;
    EXPECT_EQ(out, "app/till unchanged\nsite/paris created\n");
    EXPECT_EQ(run({"apply", "-f", folder + "/none.yaml"}), 1);
    EXPECT_EQ(run({"apply", "-f", "https://example.com/a.yaml"}), 1);
    EXPECT_THAT(err, HasSubstr("curl"));
    EXPECT_EQ(run({"apply", "-f", write("broken.yaml", "a: [")}), 1);
    EXPECT_EQ(run({"apply"}), 2);
}

TEST_F(VerbTest, GetPrintsTheServersTable) {
    api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (request.headers.get("Accept").find("as=Table") == std::string_view::npos) return false;
        responder->respond(http::Response::json(
            200,
            R"({"kind":"Table","metadata":{"resourceVersion":"7"},"columnDefinitions":[{"name":"Name","priority":0},{"name":"Status","priority":0},{"name":"Image","priority":1}],
            "rows":[{"cells":["till","Running\u001b[31m","pos:1"],"object":{"metadata":{"name":"till","namespace":"retail","labels":{"a":"b"}}}}]})"));
        return true;
    });
    EXPECT_EQ(run({"get", "apps"}), 0) << err;
    EXPECT_EQ(out, "NAME   STATUS\ntill   Running?[31m\n");
    EXPECT_EQ(run({"get", "apps", "-A", "-o", "wide", "--show-labels"}), 0) << err;
    EXPECT_EQ(out, "PROJECT   NAME   STATUS         IMAGE   LABELS\nretail    till   Running?[31m   pos:1   a=b\n");
    EXPECT_EQ(run({"get", "apps,sites", "--no-headers"}), 0) << err;
    EXPECT_EQ(out, "app/till   Running?[31m\n\nsite/till   Running?[31m\n");
}

TEST_F(VerbTest, GetObjects) {
    ASSERT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    EXPECT_EQ(run({"get", "apps", "-o", "name"}), 0) << err;
    EXPECT_EQ(out, "app/till\n");
    EXPECT_EQ(run({"get", "app/till", "-o", "yaml"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("name: till"));
    EXPECT_EQ(run({"get", "app", "till", "nobody", "-o", "json"}), 1);
    EXPECT_THAT(err, HasSubstr("nobody"));
    EXPECT_TRUE(parse_json(out)) << out;
    EXPECT_EQ(run({"get", "sites", "-o", "name"}), 0);
    EXPECT_EQ(err, "No resources found.\n");
    EXPECT_EQ(run({"get", "configs", "-o", "name"}), 0);
    EXPECT_EQ(err, "No resources found in default project.\n");
    EXPECT_EQ(run({"get", "aps"}), 2);
    EXPECT_THAT(err, HasSubstr("did you mean"));
}

TEST_F(VerbTest, GetWatchEndsByInterrupt) {
    api.instead([this](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (!request.query.has("watch")) return false;
        auto stream = responder->stream(200, {{"Content-Type", "application/json"}});
        stream->write(R"({"type":"ADDED","object":{"metadata":{"name":"new","resourceVersion":"12"}}})"
                      "\n");
        held = stream;
        kill_timer = timers.after(300ms, [this] { ::kill(child, SIGINT); });
        return true;
    });
    EXPECT_EQ(run({"get", "apps", "-w", "-o", "name"}), interrupted);
    EXPECT_EQ(out, "app/new\n");
    EXPECT_EQ(err, "");
    held.reset();
}

TEST_F(VerbTest, LabelAddsChangesRemoves) {
    ASSERT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    EXPECT_EQ(run({"label", "app", "till", "tier=store", "x=1"}), 0) << err;
    EXPECT_EQ(out, "app/till labeled\n");
    EXPECT_EQ(run({"label", "app/till", "tier=store"}), 0) << err;
    EXPECT_EQ(out, "app/till unchanged\n");
    EXPECT_EQ(run({"label", "app/till", "tier=hub"}), 1);
    EXPECT_THAT(err, HasSubstr("--overwrite"));
    EXPECT_EQ(run({"label", "app/till", "tier=hub", "x-", "--overwrite"}), 0) << err;
    EXPECT_EQ(api.objects[till_path].at({"metadata", "labels"}), Json::object({{"tier", "hub"}}));
    EXPECT_EQ(run({"label", "app/till"}), 2);
    EXPECT_EQ(run({"label", "apps", "a=b"}), 2);
}

TEST_F(VerbTest, RevokeSaysWhy) {
    const std::string path = "/apis/skerry/v1/namespaces/default/revisions/till.7";
    api.objects[path] = Json::object({{"kind", "Revision"}, {"metadata", Json::object({{"name", "till.7"}})}});
    EXPECT_EQ(run({"revision", "revoke", "till.7"}), 2);
    EXPECT_THAT(err, HasSubstr("--reason"));
    EXPECT_EQ(run({"revision", "revoke", "till.7", "--reason", "loses receipts"}), 0) << err;
    EXPECT_THAT(out, StartsWith("revision/till.7 revoked"));
    EXPECT_EQ(api.objects[path].at({"spec", "revoked"}).text("reason"), "loses receipts");
    EXPECT_EQ(run({"revision", "revoke", "till.8", "--reason", "x"}), 1);
}

TEST_F(VerbTest, DeleteSaysWhich) {
    ASSERT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    EXPECT_EQ(run({"delete", "apps"}), 2);
    EXPECT_EQ(run({"delete", "app", "till", "--dry-run"}), 0) << err;
    EXPECT_EQ(out, "app/till deleted (dry run)\n");
    EXPECT_EQ(run({"delete", "app", "till"}), 0) << err;
    EXPECT_EQ(out, "app/till deleted\n");
    EXPECT_EQ(run({"delete", "app", "till"}), 1);
    EXPECT_EQ(run({"delete", "app", "till", "--ignore-not-found"}), 0);
    ASSERT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    EXPECT_EQ(run({"delete", "apps", "--all"}), 0) << err;
    EXPECT_EQ(out, "app/till deleted\n");
    EXPECT_TRUE(api.objects.empty());
}

TEST_F(VerbTest, DescribeShowsRemediesAndHidesSecrets) {
    ASSERT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    api.objects[till_path].set(
        "status",
        *parse_json(
            R"({"conditions":[{"type":"Available","status":"False","reason":"NoSite","message":"there is no site yet; make one: skerry token create --site NAME"}]})"));
    EXPECT_EQ(run({"describe", "app", "till"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("Why, and what helps:\n  NoSite: there is no site yet; make one"));
    EXPECT_THAT(out, HasSubstr("  TYPE        STATUS   SINCE   REASON\n  Available   False    -       NoSite\n"));
    EXPECT_THAT(out, HasSubstr("Events:       <none>"));
    EXPECT_THAT(out, Not(HasSubstr("last-applied")));
    api.objects["/apis/skerry/v1/namespaces/default/secrets/key"] =
        *parse_json(R"({"apiVersion":"skerry/v1","kind":"Secret","metadata":{"name":"key"},"data":{"token":"c2VjcmV0"}})");
    EXPECT_EQ(run({"describe", "secret", "key"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("token: 6 bytes"));
    EXPECT_THAT(out, Not(HasSubstr("c2VjcmV0")));
}

TEST_F(VerbTest, LogsOfAnAppArePrefixed) {
    api.objects["/apis/skerry/v1/namespaces/default/instances/till-1"] = *parse_json(R"({"metadata":{"name":"till-1"}})");
    api.objects["/apis/skerry/v1/namespaces/default/instances/till-2"] = *parse_json(R"({"metadata":{"name":"till-2"}})");
    api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (!request.path.ends_with("/log")) return false;
        if (request.path.find("till-2") != std::string::npos)
            responder->respond(FakeApi::refusal(503, "ServiceUnavailable", "site b is out of touch"));
        else
            responder->respond(http::Response::text(200, "one\ntwo"));
        return true;
    });
    EXPECT_EQ(run({"logs", "till-1", "--tail", "5"}), 0) << err;
    EXPECT_EQ(out, "one\ntwo");
    EXPECT_THAT(api.requests.back(), HasSubstr("tailLines=5"));
    EXPECT_EQ(run({"logs", "app/till"}), 1);
    EXPECT_EQ(out, "[till-1] one\n[till-1] two\n");
    EXPECT_THAT(err, HasSubstr("instance/till-2: site b is out of touch"));
    EXPECT_EQ(run({"logs", "till", "--tail", "many"}), 2);
    EXPECT_EQ(run({"logs", "site/x"}), 1);
}

TEST_F(VerbTest, WaitForConditionDeletionAndTimeout) {
    ASSERT_EQ(run({"apply", "-f", "-"}, till), 0) << err;
    api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (!request.query.has("watch")) return false;
        auto stream = responder->stream(200, {{"Content-Type", "application/json"}});
        stream->write(
            R"({"type":"MODIFIED","object":{"metadata":{"name":"till","generation":2},"status":{"observedGeneration":1,"conditions":[{"type":"Available","status":"True"}]}}})"
            "\n");
        stream->write(
            R"({"type":"MODIFIED","object":{"metadata":{"name":"till","generation":2},"status":{"observedGeneration":2,"conditions":[{"type":"Available","status":"False","reason":"NoRoom","message":"full"}]}}})"
            "\n");
        if (request.query.get("fieldSelector").find("soon") == std::string_view::npos)
            stream->write(
                R"({"type":"MODIFIED","object":{"metadata":{"name":"till","generation":2},"status":{"observedGeneration":2,"replicas":3,"conditions":[{"type":"Available","status":"True"}]}}})"
                "\n");
        stream->write(R"({"type":"DELETED","object":{"metadata":{"name":"till"}}})"
                      "\n");
        stream->end();
        return true;
    });
    EXPECT_EQ(run({"wait", "app/till", "--for=condition=available", "--timeout", "20s"}), 0) << err;
    EXPECT_EQ(out, "app/till condition met\n");
    EXPECT_EQ(run({"wait", "app", "till", "--for", "status.replicas=3", "--timeout=20s"}), 0) << err;
    EXPECT_EQ(run({"wait", "app", "till", "--for", "delete", "--timeout=20s"}), 0) << err;
    EXPECT_EQ(out, "app/till is gone\n");
    api.instead([this](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (request.query.has("watch")) held = responder->stream(200, {});
        return request.query.has("watch");
    });
    EXPECT_EQ(run({"wait", "app", "till", "--for", "condition=Available", "--timeout=200ms"}), 1);
    EXPECT_THAT(err, HasSubstr("no condition Available yet"));
    EXPECT_EQ(run({"wait", "app", "till"}), 2);
    EXPECT_EQ(run({"wait", "app", "till", "--for", "luck"}), 2);
}

TEST_F(VerbTest, TokenCreate) {
    api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (request.path != "/tokens/v1") return false;
        responder->respond(
            http::Response::json(201, R"({"token":"skerry1.abc","name":"store-17","expires":"2026-01-01T00:00:00Z"})"));
        return true;
    });
    EXPECT_EQ(run({"token", "create", "--site", "store-17", "--label", "tier=store", "--advertise", "h:1", "--ttl", "1h",
                   "--profile", "dsl"}),
              0)
        << err;
    EXPECT_THAT(out, HasSubstr("skerry site --join skerry1.abc"));
    EXPECT_EQ(api.bodies.back(),
              R"({"kind":"site","name":"store-17","labels":{"tier":"store"},"profile":"dsl","ttl":"1h","advertise":["h:1"]})");
    EXPECT_EQ(run({"token", "create", "--node", "b", "-o", "token"}), 0) << err;
    EXPECT_EQ(out, "skerry1.abc\n");
    EXPECT_EQ(run({"token", "create"}), 2);
    EXPECT_EQ(run({"token", "create", "--node", "b", "--profile", "dsl"}), 2);
    EXPECT_EQ(run({"token", "create", "--site", "b", "--label", "x"}), 2);
}

TEST_F(VerbTest, AccessIsGrantedListedAndTakenBack) {
    Json alice = Json::object({{"id", "0a"}, {"user", "alice"}, {"role", "admin"}, {"expires", "2030-01-01T00:00:00Z"}});
    api.instead([&](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (!request.path.starts_with("/access/v1")) return false;
        Json answer = alice;
        if (request.method == "GET") answer = Json::object({{"tokens", Json::array({alice})}});
        if (request.method == "POST") answer.set("token", "skerry-access.0a.x");
        responder->respond(http::Response::json(200, write_json(answer)));
        return true;
    });
    EXPECT_EQ(run({"access", "grant", "alice", "--role", "admin", "--ttl", "1h", "-o", "token"}), 0) << err;
    EXPECT_EQ(out, "skerry-access.0a.x\n");
    EXPECT_EQ(api.bodies.back(), R"({"user":"alice","role":"admin","ttl":"1h"})");
    EXPECT_EQ(run({"access", "grant", "alice", "-o", "kubeconfig"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("token: skerry-access.0a.x"));
    EXPECT_THAT(out, HasSubstr("server: " + api.url()));
    EXPECT_EQ(run({"access", "grant", "alice", "--role", "root"}), 2);
    EXPECT_EQ(run({"access", "list"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("0a   alice   admin"));
    EXPECT_EQ(run({"access", "revoke", "0a"}), 0) << err;
    EXPECT_EQ(out, "access/0a of alice revoked\n");
}

TEST_F(VerbTest, LoginWritesOnlyWhatWorks) {
    std::string target = folder + "/new/config";
    auto login = [&](std::string server, std::vector<std::string> more) {
        std::vector<std::string> words{"login", server, "--kubeconfig", target};
        words.insert(words.end(), more.begin(), more.end());
        return run(words, "secret-token\n");
    };
    EXPECT_EQ(login("http://127.0.0.1:1", {}), 1);
    EXPECT_FALSE(std::filesystem::exists(target));
    api.objects["/version"] = Json::object({{"skerryVersion", "9"}});
    EXPECT_EQ(login(api.url(), {"--token", "-", "--name", "here"}), 0) << err;
    EXPECT_THAT(read(target), HasSubstr("token: secret-token"));
    EXPECT_EQ(std::filesystem::status(target).permissions() & std::filesystem::perms::group_all, std::filesystem::perms::none);
    EXPECT_EQ(run({"version", "--kubeconfig", target}), 0) << err;
    EXPECT_THAT(out, HasSubstr("Server: 9"));
}

TEST_F(VerbTest, UnreachableServerIsOneClearLine) {
    EXPECT_EQ(run({"get", "apps", "--server", "http://127.0.0.1:1"}), 1);
    EXPECT_THAT(err, HasSubstr("cannot reach http://127.0.0.1:1"));
    EXPECT_EQ(std::ranges::count(err, '\n'), 1) << err;
    EXPECT_EQ(run({"get", "apps", "--context", "none"}), 1);
    EXPECT_EQ(run({"get", "apps", "--kubeconfig", "/nowhere/config"}), 1);
    api.instead([](const http::Request&, const std::shared_ptr<http::Responder>& responder) {
        responder->respond(http::Response::text(200, "<html>"));
        return true;
    });
    EXPECT_EQ(run({"get", "apps"}), 1);
    EXPECT_THAT(err, HasSubstr("is it a Skerry server?"));
}

TEST_F(VerbTest, ExplainNeedsNoServer) {
    EXPECT_EQ(run({"explain", "app.spec.components.placement.mode"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("one of each, spread"));
    EXPECT_EQ(run({"explain", "app.spec.componets"}), 1);
    EXPECT_THAT(err, HasSubstr("did you mean components?"));
    EXPECT_EQ(run({"explain", "site", "--recursive"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("latitude"));
}

/// An override of a site's own, and the App that it changes, as the parent shows them (rule W5).
void show_override(FakeApi& api) {
    api.objects[till_path] = *parse_json(
        R"({"apiVersion":"skerry/v1","kind":"App","metadata":{"name":"till","namespace":"default","home":"c0"},"spec":{"later":"kept","components":[
            {"name":"pos","image":"pos:1","env":[{"name":"STORE","value":"x"}]}]}})");
    api.objects[override_path] = *parse_json(
        R"({"apiVersion":"skerry/v1","kind":"Override","metadata":{"name":"o","namespace":"default","home":"51","uid":"u1","generation":3,
            "labels":{"skerry/app":"till"}},"spec":{"target":{"kind":"App","name":"till"},"site":"store-17",
            "path":"spec.components[name=pos].env[name=STORE].value","baseValue":"\"x\"","value":"\"here\""}})");
}

TEST_F(VerbTest, PromoteChangesTheAppAndSettles) {
    show_override(api);
    EXPECT_EQ(run({"override", "promote", "o", "--dry-run"}), 0) << err;
    EXPECT_FALSE(api.objects.contains(std::string(override_path) + ".promoted"));
    EXPECT_EQ(run({"override", "promote", "o"}), 0) << err;
    EXPECT_THAT(out, HasSubstr("override/o promoted"));
    const Json& spec = api.objects[till_path].at({"spec"});
    EXPECT_EQ(spec.text("later"), "kept") << "what this build does not know stays";
    EXPECT_THAT(write_json(spec), HasSubstr(R"("env":[{"name":"STORE","value":"here"}])"));
    const Json& settles = api.objects[std::string(override_path) + ".promoted"].at({"spec", "settles"});
    EXPECT_EQ(write_json(settles), R"({"uid":"u1","generation":3,"by":"promote"})");
}

TEST_F(VerbTest, AdoptMakesOneOfTheParents) {
    show_override(api);
    EXPECT_EQ(run({"override", "adopt", "override/o", "-o", "name"}), 0) << err;
    EXPECT_EQ(out, "override/o\n");
    const Json& made = api.objects[std::string(override_path) + ".adopted"];
    EXPECT_EQ(made.at({"spec"}).text("value"), "\"here\"");
    EXPECT_EQ(made.at({"metadata", "labels"}).text("skerry/app"), "till");
    EXPECT_EQ(run({"override", "adopt", "o"}), 0) << "once more: " << err;
    api.objects[override_path].find("metadata")->set("home", "c0");
    EXPECT_EQ(run({"override", "adopt", "o"}), 1);
    EXPECT_THAT(err, HasSubstr("decided at the App's home already"));
}

TEST_F(VerbTest, DropAtTheParentAsksTheSite) {
    show_override(api);
    api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (request.method != "DELETE") return false;
        responder->respond(FakeApi::refusal(403, "Forbidden", "Override default/o is decided at site store-17; delete it there"));
        return true;
    });
    EXPECT_EQ(run({"override", "drop", "o"}), 0) << err;
    EXPECT_EQ(api.objects[std::string(override_path) + ".dropped"].at({"spec", "settles"}).text("by"), "drop");
    api.instead({});
    EXPECT_EQ(run({"override", "drop", "o"}), 0) << err;
    EXPECT_FALSE(api.objects.contains(override_path));
}

/// A site with one App of its own, whose image nobody pushed here; it hands over as soon as it is asked.
struct DecommissionTest : VerbTest {
    static constexpr const char* site_path = "/apis/skerry/v1/sites/store-1";
    bool over = false;
    Json site(const char* in_touch) {
        Json conditions = Json::array();
        conditions.push(Json::object({{"type", "InTouch"}, {"status", in_touch}}));
        if (over) conditions.push(Json::object({{"type", "Leaving"}, {"status", "True"}, {"reason", "HandedOver"}}));
        return Json::object({{"metadata", Json::object({{"name", "store-1"}})},
                             {"status", Json::object({{"cell", "aa"}, {"conditions", conditions}})}});
    }
    void serve() {
        api.instead([this](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
            if (request.path == "/revocations/v1") return responder->respond(FakeApi::json(200, Json::object())), true;
            if (request.method == "PATCH" && request.path == site_path) over = true, api.objects[site_path] = site("True");
            if (request.method != "GET" || request.path != "/apis/skerry/v1/apps") return false;
            Json component = *parse_json(R"({"image": "retail/kiosk:1", "env": [{"from": {"secret": "key"}}]})");
            Json app = Json::object(
                {{"metadata", Json::object({{"name", "kiosk"}, {"namespace", "retail"}, {"home", over ? "bb" : "aa"}})},
                 {"spec", Json::object({{"components", Json::array({component})}})}});
            responder->respond(FakeApi::json(200, Json::object({{"kind", "List"}, {"items", Json::array({app})}})));
            return true;
        });
    }
};

TEST_F(DecommissionTest, TellsFirstWhatIsMissingAndThenLetsTheSiteGo) {
    api.objects[site_path] = site("True");
    serve();
    EXPECT_EQ(run({"site", "decommission", "store-1"}), 1);
    EXPECT_THAT(err, AllOf(HasSubstr("app/kiosk (project retail)"), HasSubstr("secret/key"),
                           HasSubstr("image retail/kiosk:1: no copy"), HasSubstr("--without-images")));
    EXPECT_EQ(run({"site", "decommission", "store-1", "--dry-run", "--without-images"}), 0) << err;
    EXPECT_EQ(run({"site", "decommission", "store-1", "--abandon"}), 1);
    EXPECT_THAT(err, HasSubstr("is in touch"));
    EXPECT_THAT(api.requests, Not(Contains(Not(StartsWith("GET ")))));
    EXPECT_EQ(run({"site", "decommission", "store-1", "--without-images"}), 0) << err;
    EXPECT_EQ(out, "site/store-1 has handed over what it decided\nsite/store-1 revoked\nsite/store-1 deleted\n");
    EXPECT_FALSE(api.objects.contains(site_path));
}

TEST_F(DecommissionTest, OfALostSiteTheCopiesAreTakenOver) {
    api.objects[site_path] = site("Unknown");
    const std::string kiosk = "/apis/skerry/v1/namespaces/retail/apps/kiosk";
    api.objects[kiosk] = Json::object({{"metadata", Json::object({{"name", "kiosk"}, {"namespace", "retail"}})}});
    serve();
    EXPECT_EQ(run({"site", "decommission", "store-1"}), 1);
    EXPECT_THAT(err, AllOf(HasSubstr("is out of touch"), HasSubstr("--abandon")));
    EXPECT_EQ(run({"site", "decommission", "store-1", "--abandon", "--keep"}), 2);
    EXPECT_EQ(run({"site", "decommission", "store-1", "--abandon"}), 0) << err;
    EXPECT_EQ(out, "site/store-1 revoked\nsite/store-1 deleted\napp/kiosk taken over\n");
    EXPECT_EQ(api.objects[kiosk].at({"metadata", "annotations"}).text("skerry/only-site"), "store-1");
}

TEST_F(VerbTest, CourierPackReplacesItsFileWhenTheNewOneIsWhole) {
    std::string file = write("f.courier", "the old one");
    EXPECT_EQ(run({"courier", "pack", "--out", file}), 2);
    EXPECT_THAT(err, HasSubstr("one of --site NAME and --parent"));
    EXPECT_EQ(run({"courier", "pack", "--site", "vessel-7", "--out", file, "--max-size", "much"}), 2);
    EXPECT_THAT(err, HasSubstr("--max-size"));
    bool cut = true;
    api.instead([&](const http::Request&, const std::shared_ptr<http::Responder>& responder) {
        auto stream = responder->stream(
            200,
            {{"Content-Length", "8"},
             {"X-Courier", R"x({"to": "site vessel-7", "size": "8", "images": "0", "leftOut": ["retail/pos:9 (8.0 GiB)"]})x"}});
        stream->write(cut ? "new" : "new one!");
        if (!cut) stream->end();
        return true;
    });
    EXPECT_EQ(run({"courier", "pack", "--site", "vessel-7", "--out", file}), 1);
    EXPECT_EQ(read_file(file).value(), "the old one");
    cut = false;
    EXPECT_EQ(run({"courier", "pack", "--site", "vessel-7", "--out", file}), 0) << err;
    EXPECT_EQ(read_file(file).value(), "new one!");
    EXPECT_THAT(out, AllOf(HasSubstr("for site vessel-7"), HasSubstr("retail/pos:9")));
}

TEST_F(VerbTest, CourierShowNeedsNoServerAndSaysWhatIsNone) {
    EXPECT_EQ(run({"courier", "show", write("f", "something else")}), 1);
    EXPECT_THAT(err, HasSubstr("no courier file"));
    EXPECT_EQ(run({"courier", "show", "/nowhere/f"}), 1);
}

} // namespace skerry::cli
