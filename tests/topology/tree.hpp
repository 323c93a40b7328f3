#pragma once

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace mooncake::test {

/// A folder that is made of a recorded machine, or of such lines, and goes with the test. See `trees/README.md`.
class Tree {
  public:
    explicit Tree(std::string_view lines) {
        auto name = (std::filesystem::temp_directory_path() / "mooncake-tree-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        root_ = name;
        auto in = std::istringstream{std::string(lines)};
        for (auto line = std::string(); std::getline(in, line);) make(line);
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() { std::filesystem::remove_all(root_); }

    static std::string recorded(const std::string& name) {
        const auto file = std::filesystem::path(__FILE__).parent_path() / "trees" / (name + ".txt");
        auto in = std::ifstream(file);
        REQUIRE_MESSAGE(in, file);
        auto text = std::ostringstream();
        text << in.rdbuf();
        return text.str();
    }

    [[nodiscard]] const std::filesystem::path& root() const noexcept { return root_; }

  private:
    void make(const std::string& line) {
        constexpr auto is_file = std::string_view(" = "), is_link = std::string_view(" -> ");
        if (const auto at = line.find(is_file); at != line.npos) {
            auto text = line.substr(at + is_file.size());
            for (auto end = text.find("\\n"); end != text.npos; end = text.find("\\n", end)) text.replace(end, 2, "\n");
            std::ofstream(made(line.substr(0, at))) << text << '\n';
        } else if (const auto link = line.find(is_link); link != line.npos) {
            std::filesystem::create_symlink(line.substr(link + is_link.size()), made(line.substr(0, link)));
        } else if (line.ends_with('/')) {
            std::filesystem::create_directories(root_ / line);
        }
    }
    std::filesystem::path made(const std::string& path) const {
        std::filesystem::create_directories((root_ / path).parent_path());
        return root_ / path;
    }

    std::filesystem::path root_;
};

} // namespace mooncake::test
