#include "cache/file_table.h"

namespace cabinetfs {

// Entries of closed files are weak pointers to nothing; they are swept every so often.
constexpr std::size_t kSweepEvery = 1024;

std::shared_ptr<FileState> FileTable::acquire(InodeNumber ino) {
  MutexLock lock(mutex_);
  std::weak_ptr<FileState>& slot = files_[ino];
  std::shared_ptr<FileState> state = slot.lock();
  if (state == nullptr) {
    state = std::make_shared<FileState>(ino);
    slot = state;
  }
  if (++acquired_ % kSweepEvery == 0) {
    std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
  }
  return state;
}

std::shared_ptr<FileState> FileTable::find(InodeNumber ino) {
  MutexLock lock(mutex_);
  const auto found = files_.find(ino);
  return found == files_.end() ? nullptr : found->second.lock();
}

bool FileTable::has_writers(InodeNumber ino) {
  const std::shared_ptr<FileState> state = find(ino);
  return state != nullptr && (state->writers > 0 || state->live);
}

bool FileTable::waits_for_writers(const NodeRecord& node) {
  if (node.upload_soon || !has_writers(node.ino)) return false;
  const std::shared_ptr<FileState> state = find(node.ino);
  return state == nullptr || state->closed_generation <= node.uploaded_generation;
}

bool FileTable::is_open(InodeNumber ino) {
  const std::shared_ptr<FileState> state = find(ino);
  return state != nullptr && state->handles > 0;
}

std::vector<std::shared_ptr<FileState>> FileTable::open_files() {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<FileState>> open;
  for (const auto& [ino, slot] : files_) {
    if (std::shared_ptr<FileState> state = slot.lock()) open.push_back(std::move(state));
  }
  return open;
}

void FileTable::purge() {
  MutexLock lock(mutex_);
  std::erase_if(files_, [](const auto& entry) { return entry.second.expired(); });
}

}  // namespace cabinetfs
