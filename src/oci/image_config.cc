#include "oci/image_config.h"

#include "oci/digest.h"
#include "oci/fields.h"
#include "oci/manifest.h"

namespace skerry::oci {

Result<ImageConfig> parse_image_config(std::string_view bytes) {
    Json document = TRY(parse_document("image config", bytes));
    Fields top{document, ""};
    ImageConfig config;
    config.platform = {TRY(top.text("os", 64)), TRY(top.text("architecture", 64)), TRY(top.text("variant", 64))};
    if (config.platform.os.empty() || config.platform.architecture.empty())
        return fail(Code::invalid, "image config: os and architecture must be given");
    const Json* inner = document.find("config");
    if (inner && !inner->is_null() && !inner->members())
        return fail(Code::invalid, "config: " + std::string(inner->shape()) + "; wanted an object");
    if (inner && inner->members()) {
        Fields fields{*inner, "config"};
        config.entrypoint = TRY(fields.texts("Entrypoint", 10'000));
        config.command = TRY(fields.texts("Cmd", 10'000));
        config.environment = TRY(fields.texts("Env", 10'000));
        for (std::size_t i = 0; i < config.environment.size(); ++i)
            if (config.environment[i].empty() || config.environment[i][0] == '=')
                return fail(Code::invalid, "config.Env[" + std::to_string(i) + "]: \"" + config.environment[i].substr(0, 100) +
                                               "\" is not NAME=value");
        config.user = TRY(fields.text("User", 512));
        config.working_dir = TRY(fields.text("WorkingDir"));
        config.stop_signal = TRY(fields.text("StopSignal", 32));
        config.exposed_ports = TRY(fields.keys("ExposedPorts", 70'000));
        config.volumes = TRY(fields.keys("Volumes", 1000));
        config.labels = TRY(fields.text_map("Labels", 10'000));
    }
    const Json* rootfs = document.find("rootfs");
    if (!rootfs || !rootfs->members()) return fail(Code::invalid, "rootfs: is missing or no object");
    if (rootfs->text("type") != "layers")
        return fail(Code::unsupported, "rootfs.type: \"" + std::string(rootfs->text("type")) + "\"; only \"layers\" is known");
    config.diff_ids = TRY((Fields{*rootfs, "rootfs"}.texts("diff_ids", max_layers)));
    for (std::size_t i = 0; i < config.diff_ids.size(); ++i)
        TRY_VOID(check_digest("rootfs.diff_ids[" + std::to_string(i) + "]", config.diff_ids[i]));
    return config;
}

std::vector<std::string> chain_ids(const std::vector<std::string>& diff_ids) {
    std::vector<std::string> chain;
    for (auto& diff : diff_ids) chain.push_back(chain.empty() ? diff : digest_of(chain.back() + " " + diff));
    return chain;
}

} // namespace skerry::oci
