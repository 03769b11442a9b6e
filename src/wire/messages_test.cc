#include "wire/messages.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "wire/address.h"

namespace sparky::wire {
namespace {

std::string hex_of(std::string_view bytes) {
  return hex(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}
std::string unhex(std::string_view text) {
  std::string out;
  for (size_t i = 0; i + 1 < text.size(); i += 2) out += char(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  return out;
}

constexpr auto golden =
    "87a474797065a867656e6572617465a26964a26a31a670726f6d7074a170a56d6f64656ca16da473697a65922020a573746570731e"
    "a96366675f7363616c65ca40f00000";

TEST(Compatible, GoldenBytes) {
  Request generate = Generate{.id = "j1", .prompt = "p", .model = "m", .size = {32, 32}, .steps = 30, .cfg_scale = 7.5};
  EXPECT_EQ(hex_of(encode(generate, {})), golden);
  auto asked = parse_request(unhex(golden));
  ASSERT_TRUE(asked) << asked.error().text();
  auto& g = std::get<Generate>(asked->body);
  EXPECT_EQ(g.id, "j1");
  EXPECT_EQ(g.size, (std::vector<int64_t>{32, 32}));
  EXPECT_EQ(g.cfg_scale, 7.5);
  EXPECT_FALSE(g.lora);
  EXPECT_TRUE(is_compatible(asked->body));
  EXPECT_EQ(hex_of(encode(Reply(Pong{}))), "81a474797065a4706f6e67");
}

TEST(Compatible, TypeMayStandAnywhereAndExtraFieldsAreIgnored) {
  auto asked = parse_request(to_msgpack(
      Json{{"cfg_scale", 7}, {"type", "generate"}, {"prompt", "p"}, {"model", "m"}, {"lora", nullptr}, {"zzz", 1}}));
  ASSERT_TRUE(asked) << asked.error().text();
  EXPECT_EQ(std::get<Generate>(asked->body).cfg_scale, 7.0) << "an integer serves where a float is expected";
}

TEST(Decode, ErrorsNameTheFieldAndWhatWouldBeRight) {
  auto message = [](Json json) { return decode_request(json).error().text(); };
  EXPECT_EQ(message({{"type", "generate"}, {"model", "m"}}), "field 'prompt' is missing");
  EXPECT_EQ(message({{"type", "cancel"}, {"job_id", 7}}), "field 'job_id' must be a string, not 7");
  EXPECT_EQ(message({{"type", "generate"}, {"prompt", "p"}, {"model", "m"}, {"size", {32, "x"}}}),
            "field 'size[1]' must be an integer, not string");
  EXPECT_EQ(message({{"type", "decidee"}}), "unknown type 'decidee' (help: did you mean 'decide'?)");
  EXPECT_EQ(message({{"type", "start_run"}, {"plan", "/p"}, {"jobs", -1}}), "field 'jobs' is out of range");
  EXPECT_EQ(message({{"type", "start_run"}, {"plan", "/p"}, {"jobs", 1.5}}),
            "field 'jobs' must be an integer, not 1.5");
  EXPECT_EQ(message({{"tipe", "ping"}}), "field 'type' is missing");
  EXPECT_EQ(message(Json::array()), "a message is a map, not array");
  EXPECT_EQ(message({{"type", "cancel"}, {"job_id", "\xff"}}), "field 'job_id' is not UTF-8");
}

TEST(Decode, AWholeFloatIsAnInteger) {
  auto asked = decode_request({{"type", "generate"}, {"prompt", "p"}, {"model", "m"}, {"size", {32.0, 16.0}}});
  ASSERT_TRUE(asked) << asked.error().text();
  EXPECT_EQ(std::get<Generate>(asked->body).size, (std::vector<int64_t>{32, 16}));
  EXPECT_FALSE(decode_request({{"type", "start_run"}, {"plan", "/p"}, {"jobs", -1.0}}));
  EXPECT_FALSE(decode_request({{"type", "start_run"}, {"plan", "/p"}, {"jobs", 1e300}}));
}

TEST(Decode, JsonIsToldFromMessagePack) {
  EXPECT_NE(parse_request(R"({"type":"ping"})").error().help.find("MessagePack"), std::string::npos);
}

TEST(Envelope, AnErrorKnowsWhichRequestItIsAbout) {
  std::string id;
  EXPECT_FALSE(parse_request(to_msgpack(Json{{"type", "nope"}, {"request_id", "r7"}}), &id));
  EXPECT_EQ(id, "r7");
  for (auto field : {"request_id", "key", "idempotency_key", "who"})
    EXPECT_FALSE(parse_request(to_msgpack(Json{{"type", "ping"}, {field, std::string(201, 'x')}}), &id)) << field;
  EXPECT_EQ(id, "") << "what is too long is not given back";
}

TEST(Envelope, AKeyThatIsAFieldOfItsOwnIsNotTheIdempotencyKey) {
  auto bytes = encode(Request(ChangeSetting{"run.jobs", "5"}), {.key = "once"});
  auto map = parse_msgpack(bytes);
  EXPECT_EQ((*map)["key"], "run.jobs");
  EXPECT_EQ((*map)["idempotency_key"], "once");
  auto asked = parse_request(bytes);
  ASSERT_TRUE(asked) << asked.error().text();
  EXPECT_EQ(asked->envelope.key, "once");
  EXPECT_EQ(std::get<ChangeSetting>(asked->body).key, "run.jobs");
  EXPECT_EQ(decode_request({{"type", "change_setting"}, {"key", "run.jobs"}})->envelope.key, "");
  EXPECT_EQ(decode_request({{"type", "pause_queue"}, {"paused", true}, {"idempotency_key", "k"}})->envelope.key, "k");
  EXPECT_FALSE(decode_request({{"type", "ping"}, {"idempotency_key", "k"}, {"key", "other"}}));
}

TEST(Roles, WhatActsOutsideOutputsIsForOperators) {
  EXPECT_EQ(role_of(Request(SubmitJob{.kind = "snap"})), Role::submit);
  EXPECT_EQ(role_of(Request(SubmitJob{.kind = "deploy"})), Role::operate);
  EXPECT_EQ(role_of(Request(SubmitJob{.kind = "train"})), Role::operate);
  EXPECT_EQ(role_of(Request(SubmitJob{.kind = "exec"})), Role::operate);
}

TEST(Addresses, AreCheckedBeforeLibzmqGuesses) {
  EXPECT_EQ(resolve("tcp://localhost:0")->address, "tcp://127.0.0.1:0") << "libzmq does not listen on names";
  EXPECT_EQ(resolve("tcp://[::1]:5555")->address, "tcp://[::1]:5555");
  for (auto wrong :
       {"tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:55x", "foo", "ipc://"})
    EXPECT_FALSE(resolve(wrong)) << wrong;
}

TEST(Event, MayCarryFieldsThatArePackedAlready) {
  Json fields = {{"id", "WS-01"}, {"code", -1}};
  EventMessage event{7, "2025-01-01T00:00:00Z", 1, "attempt-ended", "it ended", nullptr};
  auto early = encode_event(event, to_msgpack(fields));
  event.data = document(fields);
  EXPECT_EQ(early, encode(Stream(event)));
}

TEST(Envelope, IsCarriedAndGivenBack) {
  auto bytes = encode(Request(ShowJob{"j"}), {"r7", "k", "ada@box"});
  auto asked = parse_request(bytes);
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->envelope.request_id, "r7");
  EXPECT_EQ(asked->envelope.key, "k");
  EXPECT_EQ(asked->envelope.who, "ada@box");
  auto reply = *parse_msgpack(encode(Reply(Pong{}), "r7"));
  EXPECT_EQ(reply["request_id"], "r7");
}

TEST(Json, SaysTheSameAsMessagePack) {
  Reply reply = LogPart{{std::string("\0\xff{", 3)}, 5, 1'000'000};
  auto json = *parse_json(encode(reply, "", Encoding::json));
  EXPECT_EQ(json["data"], "AP97");
  auto back = std::get<LogPart>(*decode_reply(json));
  EXPECT_EQ(back.data.data, std::string("\0\xff{", 3));
  EXPECT_EQ(std::get<LogPart>(*decode_reply(*parse_msgpack(encode(reply)))).data, back.data);
}

TEST(Protocol, ReferenceIsCurrent) {
  auto path = std::filesystem::path(SPARKY_SOURCE_DIR) / "docs/protocol.md";
  if (std::getenv("SPARKY_UPDATE_DOCS")) {
    ASSERT_TRUE(write_file_atomic(path, reference()));
  }
  auto written = read_file(path);
  ASSERT_TRUE(written);
  EXPECT_TRUE(*written == reference()) << "run: SPARKY_UPDATE_DOCS=1 wire_test --gtest_filter='Protocol.*'";
}

RC_GTEST_PROP(Messages, RoundTripThroughBothEncodings, ()) {
  auto text = rc::gen::map(rc::gen::arbitrary<std::string>(), [](std::string s) { return printable(s); });
  StartRun start{*text,
                 *rc::gen::arbitrary<uint32_t>(),
                 *text,
                 *rc::gen::container<std::vector<std::string>>(text),
                 *rc::gen::arbitrary<bool>(),
                 {}};
  auto word = rc::gen::map(rc::gen::arbitrary<std::string>(), [](std::string s) { return printable(s.substr(0, 50)); });
  Envelope envelope{*word, *word, *word};
  auto same = [&](const Result<Asked>& asked) {
    RC_ASSERT(asked.has_value());
    auto& s = std::get<StartRun>(asked->body);
    RC_ASSERT(s.plan == start.plan && s.jobs == start.jobs && s.until == start.until && s.only == start.only &&
              s.fresh == start.fresh);
    RC_ASSERT(asked->envelope.key == envelope.key && asked->envelope.who == envelope.who);
  };
  same(parse_request(encode(Request(start), envelope)));
  same(decode_request(*parse_json(encode(Request(start), envelope, Encoding::json))));
}

RC_GTEST_PROP(Messages, NumbersSurvive, (int64_t i, uint64_t u, double d)) {
  Update update = Progress{"j", "sampling", i, -i / 2, d, 0.1, 1e300};
  auto back = std::get<Progress>(*decode_update(*parse_msgpack(encode(update))));
  RC_ASSERT(back.step == i && back.total_steps == -i / 2 && back.percent == d && back.eta_s == 0.1 &&
            back.progress == 1e300);
  Stream beat = Heartbeat{u, "t"};
  RC_ASSERT(std::get<Heartbeat>(*decode_stream(*parse_msgpack(encode(beat)))).newest == u);
}

}  // namespace
}  // namespace sparky::wire
