// What the tests of this folder share: a project in a temporary directory, and a conductor in a thread.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "base/files.h"
#include "conductor/conductor.h"
#include "wire/address.h"

namespace sparky::conductor {

struct Project {
  static inline int count = 0;
  std::filesystem::path path;
  explicit Project(const std::string& name = "p") {
    ::setenv("SPARKY_WARDEN_PROGRAM", SPARKY_BIN_DIR "/sparky-warden", 1);
    path = std::filesystem::temp_directory_path() / fmt::format("sparky-conductor-{}-{}", ::getpid(), ++count) / name;
    std::filesystem::create_directories(path);
  }
  ~Project() {
    std::error_code ec;
    std::filesystem::remove_all(path.parent_path(), ec);
  }
  std::string plan(const std::string& toml, const std::string& file = "plan.toml") const {
    EXPECT_TRUE(write_file_atomic(path / file, toml));
    return (path / file).string();
  }
  std::string read(const std::string& file) const { return read_file(path / file).value_or(""); }
  std::string address(std::string_view name) const { return wire::project_address(path, name); }
  Options options() const {
    Options o;
    o.project = path;
    o.slots = 4;
    o.log = [](std::string_view) {};
    return o;
  }
  Result<wire::Client> client() const { return wire::Client::connect(address("sock")); }
};

class Running {
 public:
  explicit Running(Options options) {
    auto opened = Conductor::open(std::move(options));
    if (!opened) {
      ADD_FAILURE() << opened.error().text();
      return;
    }
    conductor_ = std::move(*opened);
    thread_ = std::thread([this] { status_ = conductor_->run(); });
  }
  ~Running() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    conductor_->stop();
    thread_.join();
    conductor_.reset();
    EXPECT_TRUE(status_) << status_.error().text();
  }
  Conductor& operator*() { return *conductor_; }

 private:
  std::unique_ptr<Conductor> conductor_;
  std::thread thread_;
  Status status_;
};

}  // namespace sparky::conductor
