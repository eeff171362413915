#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace cabinetfs::sandbox {
class Blob;
}

namespace cabinetfs::sandbox::kiteworks {

// Hashes large contents on a thread of its own; until it is done they say `Generating...`. Any
// thread.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void request(const std::shared_ptr<Blob>& blob);

 private:
  void run();

  std::mutex mutex_;  // guards the three below
  std::deque<std::weak_ptr<Blob>> queue_;
  std::set<const Blob*> asked_;
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace cabinetfs::sandbox::kiteworks
