#include "engine/codec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/pool.h"

namespace sparky::engine {
namespace {

TEST(Codec, AnEventHasTheseBytes) {  // the journals of others hold them
  Event e{Time{Duration{1000}}, AttemptEnded{7, Outcome::signalled, -9, Duration{5}, "n"}};
  EXPECT_EQ(hex(std::span(reinterpret_cast<const uint8_t*>(encode(e).data()), encode(e).size())),
            "980115cd03e80701d3fffffffffffffff705a16e");
  EXPECT_EQ(
      to_json(e).dump(),
      R"({"at":"1970-01-01T00:00:01Z","attempt":7,"code":-9,"duration":5,"note":"n","outcome":"signalled","type":"attempt-ended"})");
}

TEST(Codec, TheFieldsAreTheSameInMessagePack) {
  auto plan = std::make_shared<plan::Plan>();
  plan->name = "p";
  std::vector<EventBody> all = {
      AttemptEnded{7, Outcome::signalled, -9, Duration{5}, "n"},
      RunCreated{1, plan, {.jobs = 3, .only = {"a", "b"}}},
      PlanUpdated{1, nullptr, "ada"},
      NodeStaged{.run = 1, .node = 70'000, .stage = Stage::backoff, .due = Time{Duration{1234}}, .note = "why"},
      AttemptProgressed{1, 0.25, "half of a half"},
      QueuePaused{true, ""},
      JobSubmitted{1, {.id = "j", .kind = "exec", .after = {"i"}, .timeout = Duration{-1}}},
      JobsCleared{{1, 2, 300}},
      WorkerJoined{2, {.name = "w", .kinds = {"snap"}, .memory = uint64_t{1} << 40}}};
  for (auto& body : all) {
    Event event{Time{}, body};
    auto fields = fields_json(event);
    EXPECT_EQ(*parse_msgpack(fields_msgpack(event, "")), fields);
    fields["id"] = "WS-01";
    EXPECT_EQ(*parse_msgpack(fields_msgpack(event, "WS-01")), fields);
  }
}

TEST(Codec, FieldsOfOtherVersionsAreMissingOrTooMany) {
  auto shorter = decode_event(to_msgpack(Json::array({1, 15 + 6, 1000, 7})));
  ASSERT_TRUE(shorter) << shorter.error().message;
  EXPECT_EQ(std::get<AttemptEnded>(shorter->body).attempt, 7u);
  EXPECT_EQ(std::get<AttemptEnded>(shorter->body).outcome, Outcome::exited);
  EXPECT_TRUE(decode_event(to_msgpack(Json::array({1, 16, 1000, 7, "from the future", Json::object()}))));
  auto newer = decode_event(to_msgpack(Json::array({1, 200, 1000})));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Errc::unavailable);
}

TEST(Codec, WhatIsNoEventIsRefused) {
  for (auto& j : {Json(1), Json::array({1, 2}), Json::array({1, 16, 1000, "seven"}), Json::array({1, 16, 1000, -1}),
                  Json::array({1, 21, 1000, 7, 99}), Json::array({1, 0, 1000, 1, "no plan"})}) {
    auto e = decode_event(to_msgpack(j));
    ASSERT_FALSE(e) << j;
    EXPECT_EQ(e.error().code, Errc::corrupt) << j;
  }
}

TEST(Pool, SetsAsideWhatALimitHoldsBackAndTakesItUpAgain) {
  Pool pool;
  auto gpu = pool.named_limit("gpu");
  auto small = pool.add_class({{gpu, 1, 2}});
  auto large = pool.add_class({{gpu, 2, 2}});
  auto plain = pool.add_class({});
  for (NodeId n = 0; n < 3; ++n)
    pool.push(n == 0 ? large : n == 1 ? small : plain, {.priority = uint8_t(n), .node = n});
  ASSERT_EQ(pool.best()->id, large);
  pool.take(small);
  EXPECT_EQ(pool.best()->id, small);  // the large one does not fit any more
  pool.take(small);
  EXPECT_EQ(pool.best()->id, plain);
  pool.give_back(small);
  EXPECT_EQ(pool.best()->id, small);
  pool.give_back(small);
  EXPECT_EQ(pool.best()->id, large);
  pool.hold(large, true);
  EXPECT_EQ(pool.best()->id, small);
  pool.hold(large, false);
  EXPECT_EQ(pool.best()->id, large);
  pool.erase(large, {.priority = 0, .node = 0});
  EXPECT_EQ(pool.best()->id, small);
  pool.remove_class(small);
  EXPECT_EQ(pool.best()->id, plain);
  EXPECT_EQ(pool.queued(), 1u);
}

}  // namespace
}  // namespace sparky::engine
