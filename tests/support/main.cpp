#define DOCTEST_CONFIG_IMPLEMENT
#include "support/skip.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <string_view>

namespace {

constexpr int all_skipped = 77; // SKIP_RETURN_CODE in tests/CMakeLists.txt

std::set<std::string> skipped_cases;
unsigned cases_run = 0;

/// Counts test cases: a filter that matches none is a mistake in a name, not a success.
struct Counter : doctest::IReporter {
    explicit Counter(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& stats) override { cases_run = stats.numTestCasesPassingFilters; }
    void test_case_start(const doctest::TestCaseData&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("counter", 1, Counter);

bool is_set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

/// tests/may_skip.txt: `test case name | why it may be skipped`, one a line.
bool may_skip(std::string_view test_case) {
    const char* root = std::getenv("MOONCAKE_SOURCE_DIR");
    std::ifstream list{std::string{root == nullptr ? "." : root} + "/tests/may_skip.txt"};
    for (std::string line; std::getline(list, line);) {
        if (line.starts_with(std::string{test_case} + " | ")) return true;
    }
    return false;
}

} // namespace

void mooncake::test::skip(std::string_view reason) {
    const std::string name = doctest::getContextOptions()->currentTest->m_name;
    std::cout << "SKIPPED: " << name << ": " << reason << std::endl;
    skipped_cases.insert(name);
    if (is_set("CI") && !may_skip(name)) FAIL("this test must run in CI: tests/may_skip.txt does not list it");
}

/// What the thread sanitizer cannot see. With both ends in one process, a server sends (or encrypts, to send) from memory that
/// the test writes to once the client has its bytes, or has given up: the order comes from the kernel. And libstdc++ counts the holders of an
/// exception in code of its own, which is not instrumented; Asio counts those of an executor with fences, which it does not follow.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "race:socket_ops::send\n"
           "race:TlsSession::fill_record\n"
           "called_from_lib:libssl.so\n"
           "race:std::__exception_ptr::exception_ptr::_M_release\n"
           "race:std::runtime_error::~runtime_error\n"
           "race:boost::asio::execution::detail::shared_target_executor\n";
}

int main(int argc, char** argv) {
    doctest::Context context{argc, argv};
    const int status = context.run();
    if (context.shouldExit() || status != 0) return status;
    if (cases_run == 0) {
        std::cerr << "no test case matches\n";
        return EXIT_FAILURE;
    }
    return skipped_cases.size() == cases_run ? all_skipped : EXIT_SUCCESS;
}
