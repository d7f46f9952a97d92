#include "plan/instance.h"

#include <gtest/gtest.h>

namespace skerry::plan {
namespace {

const std::optional<WantedInstance> wanted = WantedInstance{.running = true, .hash = "h2", .obstacle = {}};
constexpr Instant now{1000s};

FoundInstance running(std::string hash, bool image = true) {
    return {.presence = Presence::running, .hash = std::move(hash), .connected = true, .image_ready = image, .port_taken = {}};
}

TEST(Instance, TheSameHashRunsOnWhateverElseIsMissing) {
    EXPECT_EQ(next_step(wanted, running("h2", false), {}, now), InstanceStep::nothing);
    auto obstructed = wanted;
    obstructed->obstacle = "revision missing";
    EXPECT_EQ(next_step(obstructed, running("h1"), {}, now), InstanceStep::nothing);
}

TEST(Instance, AnUpdateStopsTheOldOneOnlyOnceTheNewImageIsHere) {
    auto found = running("h1", false);
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::fetch);
    found.image_asked = true;
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::wait_image);
    found.image_ready = true;
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::update);
    found.presence = Presence::exited;
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::clean);
    found = {.presence = Presence::nothing, .hash = "h1", .image_ready = true, .port_taken = {}};
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::start);
}

TEST(Instance, UnwantedOnesGoStepByStep) {
    auto found = running("h1");
    EXPECT_EQ(next_step({}, found, {}, now), InstanceStep::stop);
    found.presence = Presence::exited;
    EXPECT_EQ(next_step({}, found, {}, now), InstanceStep::clean);
    found.presence = Presence::nothing;
    EXPECT_EQ(next_step({}, found, {}, now), InstanceStep::clean) << "still connected";
    found.connected = false;
    EXPECT_EQ(next_step({}, found, {}, now), InstanceStep::forget);
    auto stopped = wanted;
    stopped->running = false;
    EXPECT_EQ(next_step(stopped, running("h2"), {}, now), InstanceStep::stop);
    EXPECT_EQ(next_step(stopped, found, {}, now), InstanceStep::nothing);
}

TEST(Instance, WaitsForPortAndBackOff) {
    FoundInstance found{.presence = Presence::nothing, .image_ready = true, .port_taken = model::NodePort{80}};
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::wait_port);
    found.port_taken.reset();
    BackOff back_off;
    back_off.failed(now, {});
    EXPECT_EQ(next_step(wanted, found, back_off, now), InstanceStep::wait_back_off);
    EXPECT_EQ(next_step(wanted, found, back_off, now + 1s), InstanceStep::start);
}

TEST(Instance, UnhealthyRestarts) {
    auto found = running("h2");
    found.unhealthy = true;
    EXPECT_EQ(next_step(wanted, found, {}, now), InstanceStep::restart);
}

TEST(Instance, WhatCouldNotBeStartedAgainIsNotEndedForItsHealth) {
    auto revoked = wanted;
    revoked->obstacle = "revision till.2 is revoked";
    auto found = running("h2");
    found.unhealthy = true;
    EXPECT_EQ(next_step(revoked, found, {}, now), InstanceStep::nothing);
    found.presence = Presence::exited;
    EXPECT_EQ(next_step(revoked, found, {}, now), InstanceStep::wait_obstacle);
}

TEST(Instance, BackOffDoublesToAMinuteAndForgives) {
    BackOff back_off;
    for (Duration expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        back_off.failed(now, now - 1s);
        EXPECT_EQ(back_off.until() - now, expected);
    }
    back_off.failed(now, now - 600s);
    EXPECT_EQ(back_off.until() - now, Duration(1s));
}

/// Rules F1 to F3: stopped while there is time to end politely, and started only under a lease, on the leash.
TEST(Instance, AtMostOnceRunsOnlyUnderALease) {
    auto leased = wanted;
    leased->stop_by = now + 1s;
    EXPECT_EQ(next_step(leased, running("h2"), {}, now), InstanceStep::nothing);
    EXPECT_EQ(next_step(leased, running("h2"), {}, now + 1s), InstanceStep::fence);
    EXPECT_EQ(next_step(leased, running("h1"), {}, now + 1s), InstanceStep::fence) << "out of date or not";
    FoundInstance nothing{.presence = Presence::nothing, .hash = {}, .image_ready = true, .port_taken = {}};
    EXPECT_EQ(next_step(leased, nothing, {}, now), InstanceStep::start);
    EXPECT_EQ(next_step(leased, nothing, {}, now + 1s), InstanceStep::wait_lease);
    leased->leashed = false;
    EXPECT_EQ(next_step(leased, nothing, {}, now), InstanceStep::wait_lease);
    nothing.image_ready = false;
    EXPECT_EQ(next_step(leased, nothing, {}, now + 1s), InstanceStep::fetch) << "bytes need no lease";
    nothing.presence = Presence::exited, nothing.image_ready = true;
    EXPECT_EQ(next_step(leased, nothing, {}, now + 1s), InstanceStep::clean);
}

} // namespace
} // namespace skerry::plan
