#include <mooncake/topology/discover.hpp>
#include <mooncake/topology/priority_matrix.hpp>

#include "topology/tree.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <string>
#include <vector>

namespace mooncake {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("discover: two sockets with eight NICs") {
    const auto tree = test::Tree(test::Tree::recorded("two_sockets"));
    const auto found = discover(tree.root(), {{"bond0", "10.0.0.7"}, {"bond0", "fd00::7"}, {"eno1", "10.0.0.8"}});

    REQUIRE(found.nodes.size() == 2);
    CHECK(found.nodes[1].cpus.size() == 64);
    CHECK(found.nodes[1].cpus.front() == 32);
    CHECK(found.nodes[0].bytes == 1'056'467'788ULL * 1024);
    CHECK(found.distance(0, 0) == 10);
    CHECK(found.distance(1, 0) == 21);

    const auto* mlx = found.find("mlx5_5");
    REQUIRE(mlx);
    CHECK(mlx->kind == DeviceKind::rdma);
    CHECK(mlx->node == 1);
    CHECK(mlx->bytes_per_second == 50'000'000'000);
    CHECK(mlx->up);
    CHECK_FALSE(found.find("mlx5_6")->up);
    CHECK(pci_distance(*mlx, *found.find("ens5np0")) == 0);
    CHECK_FALSE(pci_distance(*mlx, *found.find("mlx5_0")));
    CHECK(pci_distance(*found.find("nvme0"), *found.find("nvme10")) == 4);

    CHECK_FALSE(found.find("eno1")); // a part of the bond
    const auto* bond = found.find("bond0");
    REQUIRE(bond);
    CHECK(bond->physical);
    CHECK(bond->node == 1);
    CHECK(bond->addresses == Names{"10.0.0.7", "fd00::7"});
    CHECK(bond->bytes_per_second == 6'250'000'000);
    CHECK_FALSE(found.find("docker0")->physical);

    auto nvme = Names();
    for (const auto& device : found.devices)
        if (device.kind == DeviceKind::nvme) nvme.push_back(device.name);
    CHECK(nvme == Names{"nvme0", "nvme1", "nvme10"});
    CHECK(found.find("nvme1")->bytes_per_second == 7'876'923'076); // 16 GT/s, 4 lanes, 128b/130b
    CHECK(found.find("dax0.0")->bytes == 128ULL << 30);
    CHECK(found.find("dax0.0")->node == 1);

    auto matrix = priority_matrix(found);
    CHECK(matrix["cpu:0"].preferred == Names{"mlx5_0", "mlx5_1", "mlx5_2", "mlx5_3"});
    CHECK(matrix["cpu:0"].secondary == Names{"mlx5_4", "mlx5_5", "mlx5_7"});
    CHECK(matrix["cpu:1"].preferred == Names{"mlx5_4", "mlx5_5", "mlx5_7"});
    CHECK(find_priority(matrix, "cpu:9") == find_priority(matrix, "*"));

    const auto nics = priority_matrix(found, std::vector{DeviceKind::nic});
    CHECK(find_priority(nics, "cpu:1")->preferred == Names{"bond0", "ens4np0", "ens5np0", "ens7np0"});
    const auto storage = priority_matrix(found, std::vector{DeviceKind::nvme});
    CHECK(find_priority(storage, "cpu:1")->preferred == Names{"nvme1"});
    CHECK(find_priority(storage, "cpu:1")->secondary == Names{"nvme0", "nvme10"});
}

TEST_CASE("discover: a laptop, whose devices are on no node and whose network is one of many") {
    const auto tree = test::Tree(test::Tree::recorded("laptop"));
    const auto found = discover(tree.root(), {});
    REQUIRE(found.nodes.size() == 1);
    CHECK_FALSE(found.find("wlp0s20f3")->node);
    CHECK(found.find("wlp0s20f3")->physical);
    CHECK_FALSE(found.find("docker0")->physical);
    auto matrix = priority_matrix(found);
    CHECK(matrix["cpu:0"] == DevicePriority{{"wlp0s20f3"}, {}});
}

TEST_CASE("discover: a container with nothing has one node and itself") {
    const auto tree = test::Tree(test::Tree::recorded("container"));
    const auto found = discover(tree.root(), {{"lo", "127.0.0.1"}});
    REQUIRE(found.nodes.size() == 1);
    CHECK(found.distance(0, 0) == 10);
    auto matrix = priority_matrix(found);
    CHECK(matrix["cpu:0"] == DevicePriority{{"lo"}, {}});
}

TEST_CASE("discover: one end of a pair is used where there is nothing better") {
    const auto tree = test::Tree("sys/class/net/lo/operstate = unknown\nsys/class/net/eth0/operstate = up\n");
    auto matrix = priority_matrix(discover(tree.root(), {}));
    CHECK(matrix["cpu:0"] == DevicePriority{{"eth0"}, {}});
}

TEST_CASE("discover: a machine that makes no sense is no reason to fail") {
    const auto tree = test::Tree("sys/devices/system/node/online = 0-99999999999,7\n"
                                 "sys/class/net/eth0/speed = 99999999999999999999\n"
                                 "sys/class/net/eth0/operstate = \n"
                                 "sys/class/net/loop/lower_loop/operstate = up\n"
                                 "sys/class/net/loop/operstate = up\n"
                                 "sys/class/infiniband/x/ports/1/state = 4:\n"
                                 "sys/class/infiniband/x/ports/1/rate = nan Gb\n"
                                 "sys/class/infiniband/circle -> circle\n"
                                 "sys/class/nvme/n/device/current_link_speed = 1e300 GT/s\n"
                                 "sys/class/nvme/n/device/current_link_width = 4\n"
                                 "sys/bus/dax/devices/d/size = -1\n");
    const auto found = discover(tree.root(), {});
    CHECK(found.nodes.size() == 1);
    CHECK(found.find("x")->up);
    CHECK(found.find("x")->bytes_per_second == 0);
    CHECK(found.find("n")->bytes_per_second == 0);
    CHECK_FALSE(found.find("d")->up);
    CHECK_FALSE(found.find("loop")->physical);
    CHECK(discover("/nowhere", {}).devices.empty());
}

TEST_CASE("discover: this machine") {
    const auto found = discover();
    CHECK(found.nodes.size() >= 1);
    CHECK_FALSE(found.nodes.front().cpus.empty());
    const auto* lo = found.find("lo");
    REQUIRE(lo);
    CHECK_FALSE(lo->addresses.empty());
    CHECK_FALSE(lo->physical);
}

TEST_CASE("sysfs: lists and order") {
    using topology::detail::list_of;
    using List = std::vector<unsigned>;
    CHECK(list_of("0-3,8,10-11\n") == List{0, 1, 2, 3, 8, 10, 11});
    CHECK(list_of("") == List());
    CHECK(list_of("3-1") == List());
    CHECK(list_of("1,x,2") == List{1});
    CHECK(list_of("0-4294967295") == List());
    CHECK(list_of("2,1,2") == List{1, 2});
    using topology::detail::natural_less;
    CHECK(natural_less("eth2", "eth10"));
    CHECK(natural_less("eth2", "ib1"));
    CHECK(natural_less("a", "a1"));
    CHECK_FALSE(natural_less("eth02", "eth2"));
    CHECK_FALSE(natural_less("eth10", "eth9"));
}

} // namespace
} // namespace mooncake
