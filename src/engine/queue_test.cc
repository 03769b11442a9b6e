// The job queue: leases, priorities with ageing, retries, and workers that die.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/engine.h"
#include "engine/view.h"

namespace sparky::engine {
namespace {

using namespace std::chrono_literals;

struct Bench {
  Engine engine;
  Time now{Duration{1'700'000'000'000}};

  Result<Reply> in(Input input) { return engine.decide(input, now).reply; }
  Result<Reply> submit(std::string id, JobPriority priority = JobPriority::normal, std::string model = {}) {
    return in(SubmitJob{{.id = id, .kind = "generate", .model = model, .request = "r", .priority = priority}});
  }
  void join(std::string name, std::vector<std::string> models = {}) {
    ASSERT_TRUE(in(WorkerJoin{{.name = name, .kinds = {"generate"}, .models = models}, {}}));
  }
  const Job& job(const std::string& id) const { return *engine.state().job(id); }
  void end(const std::string& id, int code = 0, Outcome outcome = Outcome::exited) {
    ASSERT_NE(job(id).attempt, 0u) << id << " is not running";
    in(ReportEnded{.attempt = job(id).attempt, .outcome = outcome, .code = code, .note = "so", .result = "{}"});
  }
  // Ids in the order in which one worker gets them.
  std::string order() {
    std::string out;
    join("w");
    for (bool any = true; any;) {
      any = false;
      for (auto& [id, j] : std::map(engine.state().jobs))
        if (j.state == JobState::running) out += j.spec.id + " ", end(j.spec.id), any = true;
    }
    return out;
  }
};

TEST(Queue, TheSameJobTwiceIsOneJob) {
  Bench b;
  auto first = b.submit("j");
  auto again = b.submit("j");
  ASSERT_TRUE(first && again);
  EXPECT_FALSE(first->existing);
  EXPECT_TRUE(again->existing);
  auto by_another = b.job("j").spec;
  by_another.client = "somebody else";
  auto third = b.in(SubmitJob{by_another});
  ASSERT_TRUE(third) << "who asks is no part of what is asked";
  EXPECT_TRUE(third->existing);
  EXPECT_EQ(first->job, again->job);
  auto other = b.submit("j", JobPriority::urgent);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::exists);
  EXPECT_EQ(b.submit("")->job_id, "job-2");
}

TEST(Queue, AJobForOneWorkerWaitsForItAndHoldsUpNobody) {
  Bench b;
  b.join("a");
  ASSERT_TRUE(b.in(SubmitJob{{.id = "j", .kind = "generate", .worker = "b"}}));
  ASSERT_TRUE(b.submit("other"));
  EXPECT_EQ(b.job("j").state, JobState::queued);
  EXPECT_EQ(b.job("other").state, JobState::running);
  EXPECT_EQ(describe(b.engine.state(), b.job("j"), b.now)["worker"], "b");
  b.end("other");
  EXPECT_EQ(b.job("j").state, JobState::queued) << "a is idle, and not meant";
  b.join("b");
  EXPECT_EQ(b.job("j").state, JobState::running);
  b.end("j");
  EXPECT_EQ(b.job("j").state, JobState::completed);
}

TEST(Queue, UrgentFirstAndLowIsNotStarved) {
  Bench b;
  b.submit("low", JobPriority::low);
  b.submit("urgent", JobPriority::urgent);
  b.now += 2h;
  b.submit("late-urgent", JobPriority::urgent);
  b.submit("late-normal");
  EXPECT_EQ(b.order(), "urgent low late-urgent late-normal ");
}

TEST(Queue, TheSameModelNextToEachOtherWithinReason) {
  Bench b;
  for (auto [id, model] : {std::pair{"a1", "a"}, {"b1", "b"}, {"a2", "a"}})
    b.submit(id, JobPriority::normal, model), b.now += 1s;
  EXPECT_EQ(b.order(), "a1 a2 b1 ");
  Bench c;
  for (auto [id, model] : {std::pair{"a1", "a"}, {"b1", "b"}, {"a2", "a"}})
    c.submit(id, JobPriority::normal, model), c.now += 1min;
  EXPECT_EQ(c.order(), "a1 b1 a2 ");
}

TEST(Queue, AWorkerGetsOnlyWhatItCanDo) {
  Bench b;
  b.submit("j", JobPriority::normal, "sdxl");
  b.join("small", {"tiny"});
  EXPECT_EQ(b.job("j").state, JobState::queued);
  b.join("big", {"sdxl"});
  EXPECT_EQ(b.job("j").state, JobState::running);
}

TEST(Queue, ACancelledJobIsOverAtOnceAndItsWorkerIsFenced) {
  Bench b;
  b.submit("j");
  b.submit("next");
  b.join("w");
  AttemptId attempt = b.job("j").attempt;
  auto d = b.engine.decide(CancelJob{"j", "ada"}, b.now);
  ASSERT_TRUE(d.reply);
  EXPECT_TRUE(std::ranges::any_of(d.effects, [](auto& e) { return std::holds_alternative<CancelAttempt>(e); }));
  EXPECT_EQ(b.job("j").state, JobState::cancelled);
  EXPECT_EQ(b.job("next").state, JobState::queued);  // the worker is still busy with it
  b.in(ReportEnded{.attempt = attempt, .code = 0, .result = "late"});
  EXPECT_EQ(b.job("j").state, JobState::cancelled);
  EXPECT_EQ(b.job("j").result, "");
  EXPECT_EQ(b.job("next").state, JobState::running);
}

TEST(Queue, ADeadWorkersJobGoesToAnotherAtMostThreeTimes) {
  Bench b;
  b.submit("j");
  for (int i = 1; i <= 3; ++i) {
    b.join("w" + std::to_string(i));
    EXPECT_EQ(b.job("j").state, JobState::running);
    b.in(WorkerLeave{"w" + std::to_string(i), "crashed"});
  }
  EXPECT_EQ(b.job("j").state, JobState::failed);
  EXPECT_NE(b.job("j").note.find("3 times"), std::string::npos);
  EXPECT_TRUE(b.engine.state().workers.empty());
}

TEST(Queue, AWorkerThatComesBackKeepsWhatItHolds) {
  Bench b;
  b.submit("j");
  b.join("w");
  AttemptId attempt = b.job("j").attempt;
  auto reply = b.in(WorkerJoin{{.name = "w", .kinds = {"generate"}}, {attempt, 999}});
  ASSERT_TRUE(reply);
  EXPECT_EQ(b.job("j").attempt, attempt);
  EXPECT_EQ(reply->abandon, std::vector<AttemptId>{999});
  b.in(WorkerJoin{{.name = "w", .kinds = {"generate"}}, {}});  // it was restarted
  EXPECT_NE(b.job("j").attempt, attempt);
  EXPECT_EQ(b.job("j").state, JobState::running);
}

TEST(Queue, RetriesTimeoutsAndDependencies) {
  Bench b;
  b.in(SubmitJob{{.id = "a", .kind = "generate", .retries = 1, .timeout = 10s}});
  b.in(SubmitJob{{.id = "b", .kind = "generate", .after = {"a"}}});
  b.join("w");
  b.join("v");
  EXPECT_EQ(b.job("b").state, JobState::queued);
  b.in(ReportStarted{b.job("a").attempt});
  b.now += 10s;
  b.in(Tick{});
  EXPECT_EQ(b.job("a").state, JobState::queued);  // backs off
  ASSERT_TRUE(b.engine.next_wakeup());
  b.now = *b.engine.next_wakeup();
  b.in(Tick{});
  EXPECT_EQ(b.job("a").state, JobState::running);
  b.end("a", 1);
  EXPECT_EQ(b.job("a").state, JobState::failed);
  EXPECT_EQ(b.job("b").state, JobState::failed);
  EXPECT_EQ(b.job("b").note, "it waits for job 'a', which is failed");
}

TEST(Queue, AJobThatWaitsGoesToAnotherPlace) {
  Bench b;
  for (auto id : {"a", "b", "c", "d"}) b.submit(id);  // all in the same millisecond
  auto line = [&] {
    std::map<size_t, std::string> by_place;
    for (auto& [id, place] : engine::line(b.engine.state()))
      by_place[place.position] = b.engine.state().jobs.at(id).spec.id;
    std::string out;
    for (auto& [position, id] : by_place) out += id;
    return out;
  };
  ASSERT_EQ(line(), "abcd");
  ASSERT_TRUE(b.in(MoveJob{.id = "d"}));
  EXPECT_EQ(line(), "dabc");
  ASSERT_TRUE(b.in(MoveJob{.id = "d", .before = "b"}));
  EXPECT_EQ(line(), "adbc");
  ASSERT_TRUE(b.in(MoveJob{.id = "a", .last = true}));
  EXPECT_EQ(line(), "dbca");
  ASSERT_TRUE(b.in(MoveJob{.id = "a", .before = "c"}));
  EXPECT_EQ(line(), "dbac");
  ASSERT_TRUE(b.in(MoveJob{.id = "b", .before = "d"}));
  EXPECT_EQ(line(), "bdac");
  ASSERT_TRUE(b.in(MoveJob{.id = "c", .before = "c"}));
  EXPECT_EQ(line(), "bdac");
  EXPECT_FALSE(b.in(MoveJob{.id = "x"}));
  EXPECT_FALSE(b.in(MoveJob{.id = "a", .before = "x"}));
  EXPECT_EQ(b.order(), "b d a c ");
  auto ended = b.in(MoveJob{.id = "a"});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "job 'a' is completed");
}

TEST(Queue, TheFrontOfTheLineGoesBeforeTheModelThatIsLoaded) {
  Bench b;
  for (auto [id, model] : {std::pair{"a1", "a"}, {"a2", "a"}, {"b1", "b"}}) b.submit(id, JobPriority::normal, model);
  b.join("w");
  ASSERT_EQ(b.job("a1").state, JobState::running);
  ASSERT_TRUE(b.in(MoveJob{.id = "b1"}));
  b.end("a1");
  EXPECT_EQ(b.job("b1").state, JobState::running);
}

TEST(Queue, EachPlaceInTheLineHasItsTime) {
  Bench b;
  b.submit("j", JobPriority::normal, "m");
  b.join("w");
  b.now += 8s;
  b.end("j");
  for (auto id : {"k", "l", "n"}) b.submit(id, JobPriority::normal, "m");  // k runs at once
  auto line = engine::line(b.engine.state());
  ASSERT_EQ(line.size(), 2u);
  EXPECT_EQ(line.at(b.job("l").id).position, 1u);
  EXPECT_DOUBLE_EQ(*line.at(b.job("l").id).eta_s, 12);  // behind one that has just begun
  EXPECT_DOUBLE_EQ(*line.at(b.job("n").id).eta_s, 20);
}

TEST(Queue, EstimatesComeFromWhatWasMeasured) {
  Bench b;
  JobSpec spec{.id = "x", .kind = "generate", .model = "m"};
  EXPECT_FALSE(estimated_seconds(b.engine.state(), spec));
  b.submit("j", JobPriority::normal, "m");
  b.join("w");
  b.now += 8s;
  b.end("j");
  EXPECT_DOUBLE_EQ(*estimated_seconds(b.engine.state(), spec), 8);
  b.submit("k", JobPriority::normal, "m");
  EXPECT_DOUBLE_EQ(*estimated_seconds(b.engine.state(), spec), 12);  // behind one that has just begun
}

}  // namespace
}  // namespace sparky::engine
