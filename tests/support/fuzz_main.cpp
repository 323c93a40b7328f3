// Runs a fuzz target without libFuzzer: the files given, then a fixed number of seeded random inputs.
// Usage: <target> [-runs=N] [-seed=N] [file...]

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    std::uint64_t runs = 20'000;
    std::uint64_t seed = 1;
    std::vector<std::vector<std::uint8_t>> corpus;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument.starts_with("-runs=")) {
            runs = std::strtoull(argv[i] + 6, nullptr, 10);
        } else if (argument.starts_with("-seed=")) {
            seed = std::strtoull(argv[i] + 6, nullptr, 10);
        } else if (std::ifstream file{argv[i], std::ios::binary}; file) {
            corpus.emplace_back(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
        } else {
            std::cerr << argument << ": cannot be read\n";
            return EXIT_FAILURE;
        }
    }
    for (const auto& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());

    std::cout << "seed " << seed << ", " << runs << " runs, " << corpus.size() << " corpus files" << std::endl;
    std::mt19937_64 random{seed};
    std::vector<std::uint8_t> input;
    for (std::uint64_t run = 0; run < runs; ++run) {
        // Half of the inputs are a corpus file with a few bytes changed and the end cut: random bytes alone rarely
        // come past a header's check.
        if (!corpus.empty() && random() % 2 == 0) {
            input = corpus[random() % corpus.size()];
            if (!input.empty()) {
                for (auto changes = random() % 4; changes != 0; --changes) {
                    input[random() % input.size()] = static_cast<std::uint8_t>(random());
                }
                if (random() % 4 == 0) input.resize(random() % input.size());
            }
        } else {
            input.resize(random() % (random() % 8 == 0 ? 4096 : 64));
            for (auto& byte : input) byte = static_cast<std::uint8_t>(random());
        }
        LLVMFuzzerTestOneInput(input.data(), input.size());
    }
}
