#include "tests/contract/contract.h"
#include "tests/support/fake_remote_store.h"

namespace cabinetfs {
namespace {

class FakeWorld final : public ContractWorld {
 public:
  explicit FakeWorld(const FakeRemoteOptions& options) : store_({{"Work/", ""}}, options) {}
  RemoteStore& store() override { return store_; }
  void write_as_other(const std::string& path, const std::string& content) override {
    store_.write_file_as_other(path, content);
  }
  void remove_as_other(const std::string& path) override { store_.remove_as_other(path); }
  void rename_as_other(const std::string& path, const std::string& name) override {
    store_.rename_as_other(path, name);
  }
  void lock_as_other(const std::string& path) override { store_.lock_as_other(path); }
  std::string content_of(const std::string& path) override {
    return store_.content(path).value_or("");
  }
  void set_quota(std::uint64_t bytes) override {
    store_.set_quota(bytes == 0 ? std::nullopt : std::optional(bytes));
  }
  void set_scanning(const std::string& path, bool scanning) override {
    store_.set_scan(path, scanning ? ScanState::kScanning : ScanState::kAllowed);
  }
  std::string other_address() override { return "other@example.com"; }
  std::vector<std::string> mail_subjects() override {
    std::vector<std::string> subjects;
    for (const Mail& mail : store_.mails()) subjects.push_back(mail.subject);
    return subjects;
  }
  Attachments mail_attachments(const std::string& subject) override {
    Attachments all;
    for (const Mail& mail : store_.mails()) {
      if (mail.subject != subject) continue;
      for (const Mail::Attachment& one : mail.attachments) {
        std::string& content = all[one.name];
        content.resize(one.size);
        EXPECT_TRUE(one.read(0, std::as_writable_bytes(std::span(content)))) << one.name;
      }
    }
    return all;
  }

 private:
  FakeRemoteStore store_;
};

ContractCase fake(const std::string& name, const Capabilities& capabilities) {
  return {name, [capabilities]() -> std::unique_ptr<ContractWorld> {
            FakeRemoteOptions options;
            options.capabilities = capabilities;
            return std::make_unique<FakeWorld>(options);
          }};
}

Capabilities narrow() {
  Capabilities able = FakeRemoteOptions::bare();
  able.rename_keeps_extension = true;
  able.move_across_top = false;
  return able;
}

INSTANTIATE_TEST_SUITE_P(
    Fake, Contract,
    ::testing::Values(fake("Strict", FakeRemoteOptions::strict()),
                      fake("LikeKiteworks", FakeRemoteOptions::like_kiteworks()),
                      fake("Bare", FakeRemoteOptions::bare()), fake("Narrow", narrow())),
    [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace cabinetfs
