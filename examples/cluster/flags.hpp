#pragma once

#include <mooncake/core/result.hpp>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <functional>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cluster {

/// The options of a program: declared once, then parsed, explained by `--help`, and wrong ones refused by name.
class Flags {
  public:
    Flags(std::string program, std::string purpose) : program_(std::move(program)), purpose_(std::move(purpose)) {}

    void text(std::string_view name, std::string& value, std::string_view meaning) {
        add(name, "TEXT", meaning, value, [&value](std::string_view given) {
            value = given;
            return std::string();
        });
    }

    template <std::unsigned_integral T>
    void number(std::string_view name, T& value, std::string_view meaning, T least = 0,
                T most = std::numeric_limits<T>::max()) {
        add(name, "N", meaning, std::to_string(value), [&value, least, most](std::string_view given) {
            auto parsed = T{0};
            const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), parsed);
            if (error != std::errc{} || end != given.data() + given.size() || parsed < least || parsed > most)
                return "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
            value = parsed;
            return std::string();
        });
    }

    void decimal(std::string_view name, double& value, std::string_view meaning, double least, double most) {
        add(name, "X", meaning, std::to_string(value), [&value, least, most](std::string_view given) {
            auto parsed = 0.0;
            const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), parsed);
            if (error != std::errc{} || end != given.data() + given.size() || !(parsed >= least && parsed <= most))
                return "a number from " + std::to_string(least) + " to " + std::to_string(most);
            value = parsed;
            return std::string();
        });
    }

    void one_of(std::string_view name, std::string& value, std::vector<std::string> choices, std::string_view meaning) {
        auto all = std::string();
        for (const auto& choice : choices) all += (all.empty() ? "" : " or ") + choice;
        add(name, all, meaning, value, [&value, choices = std::move(choices), all](std::string_view given) {
            for (const auto& choice : choices)
                if (choice == given) return value = choice, std::string();
            return all;
        });
    }

    /// What stands without an option's name, in order: commands and their objects. `--` ends the options.
    void words(std::string_view name, std::vector<std::string>& values, std::string_view meaning) {
        words_ = &values;
        words_name_ = name;
        words_meaning_ = meaning;
    }

    /// An option without a value.
    void on(std::string_view name, bool& value, std::string_view meaning) {
        options_.push_back({std::string(name), "", std::string(meaning), "", [&value](std::string_view) {
                                value = true;
                                return std::string();
                            }});
    }

    /// Errors: `invalid_argument` (names the option and what it takes), `cancelled` after `--help` was answered.
    mooncake::Result<void> parse(int argc, const char* const* argv) const {
        using mooncake::Errc, mooncake::Error;
        auto over = false; // after `--`
        for (int i = 1; i < argc; ++i) {
            auto name = std::string_view(argv[i]);
            if (!over && (name == "--help" || name == "-h")) return explain(), Error(Errc::cancelled);
            if (words_ != nullptr && (over || !name.starts_with("-"))) {
                words_->emplace_back(name);
                continue;
            }
            if (words_ != nullptr && name == "--") {
                over = true;
                continue;
            }
            const auto* const option = find(name);
            if (option == nullptr)
                return Error(Errc::invalid_argument,
                             "there is no option '" + std::string(name) + "'; " + program_ + " --help lists them");
            auto value = std::string_view();
            if (option->value.empty() && name.find('=') != std::string_view::npos)
                return Error(Errc::invalid_argument,
                             "--" + option->name + " takes no value; it is on where it is given");
            if (!option->value.empty()) {
                if (const auto equals = name.find('='); equals != std::string_view::npos)
                    value = name.substr(equals + 1);
                else if (i + 1 < argc) value = argv[++i];
                else
                    return Error(Errc::invalid_argument,
                                 "--" + option->name + " needs " + option->value + " behind it");
            }
            if (const auto expected = option->take(value); !expected.empty())
                return Error(Errc::invalid_argument,
                             "--" + option->name + " is '" + std::string(value) + "'; it takes " + expected);
        }
        return mooncake::ok;
    }

  private:
    struct Option {
        std::string name, value, meaning, standard;
        std::function<std::string(std::string_view)> take; ///< gives what would be right, or nothing
    };

    void add(std::string_view name, std::string_view value, std::string_view meaning, std::string standard,
             std::function<std::string(std::string_view)> take) {
        options_.push_back(
            {std::string(name), std::string(value), std::string(meaning), std::move(standard), std::move(take)});
    }

    [[nodiscard]] const Option* find(std::string_view given) const {
        if (!given.starts_with("--")) return nullptr;
        const auto name = given.substr(2, given.find('=') - 2);
        for (const auto& option : options_)
            if (option.name == name) return &option;
        return nullptr;
    }

    void explain() const {
        std::cout << program_ << ": " << purpose_ << "\n\n";
        if (words_ != nullptr) std::cout << "  " << words_name_ << "\n      " << words_meaning_ << '\n';
        for (const auto& option : options_) {
            std::cout << "  --" << option.name << (option.value.empty() ? "" : " " + option.value) << "\n      "
                      << option.meaning;
            if (!option.standard.empty()) std::cout << " (" << option.standard << ")";
            std::cout << '\n';
        }
    }

    std::string program_, purpose_, words_name_, words_meaning_;
    std::vector<std::string>* words_ = nullptr;
    std::vector<Option> options_;
};

} // namespace cluster
