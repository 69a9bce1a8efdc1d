// Tests of the statistics of `lab bench N`, and one real run.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "figures.h"

namespace bench {
namespace {

Sample sample(double rate, double latency, double news) {
  Sample one;
  one.rate = rate;
  for (int p = 1; p <= kPercentiles; ++p) one.latency.push_back(latency * p);
  one.news = news;
  return one;
}

const Figure& named(const std::vector<Figure>& figures, const std::string& name) {
  for (const Figure& figure : figures) {
    if (figure.name == name) return figure;
  }
  throw std::out_of_range(name);
}

TEST(Figures, TheRatioIsTheMedianOfTheRoundsRatios) {
  // In the second round the machine was half as fast for both: the ratios do not change.
  const std::vector<Round> rounds = {{sample(100, 2, 4), sample(200, 1, 2)}, {sample(50, 4, 4), sample(100, 2, 2)}, {sample(110, 2, 4), sample(200, 1, 2)}};
  const std::vector<Figure> figures = figures_of(rounds, "echo");
  const Figure& rate = named(figures, "echoes per second");
  EXPECT_EQ(rate.yours, 100);
  EXPECT_EQ(rate.reference, 200);
  EXPECT_DOUBLE_EQ(rate.ratio, 0.5);
  EXPECT_DOUBLE_EQ(rate.lower, 0.5);
  EXPECT_DOUBLE_EQ(rate.upper, 0.525);
  EXPECT_DOUBLE_EQ(named(figures, "latency p90, us").yours, 180);
  EXPECT_DOUBLE_EQ(named(figures, "latency p90, us").ratio, 2);
  EXPECT_DOUBLE_EQ(named(figures, "calls of new per echo").ratio, 2);
}

TEST(Figures, AMissingMeasurementHasNoRow) {
  Sample one = sample(1, 1, 1);
  EXPECT_EQ(figures_of({{one, one}}, "echo").size(), 5u);
  one.calls = 2;
  one.bytes = 4.1;
  one.cpu = 9;
  EXPECT_EQ(figures_of({{one, one}}, "echo").size(), 8u);
  EXPECT_TRUE(median_of({}) == 0 && median_of({3, 1, 2}) == 2 && median_of({4, 1, 2, 3}) == 2.5);
}

TEST(Figures, AReferenceOfZeroHasNoRatio) {
  const std::vector<Figure> figures = figures_of({{sample(1, 1, 3), sample(1, 1, 0)}}, "move");
  EXPECT_FALSE(named(figures, "calls of new per move").has_ratio);
  EXPECT_NE(table_of(figures).find("reference makes none"), std::string::npos);
  EXPECT_NE(table_of(figures_of({{sample(1, 1, 0), sample(1, 1, 0)}}, "move")).find("neither makes any"), std::string::npos);
  EXPECT_NE(table_of(figures_of({{sample(1, 1, 0), sample(1, 1, 0)}}, "move"), "first", "second").find("     first     second"), std::string::npos);
}

TEST(Figures, TheTableFitsAndShowsWhichWay) {
  const std::vector<Figure> figures = figures_of({{sample(1e7, 1e6, 400), sample(2e3, 1e4, 2)}}, "a message with a long name");
  std::istringstream lines(table_of(figures));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
  const std::string slow = table_of(figures_of({{sample(50, 1, 1), sample(100, 1, 1)}}, "echo"));
  EXPECT_NE(slow.find("    ####|"), std::string::npos) << slow;
  EXPECT_NE(slow.find("worse"), std::string::npos);
  EXPECT_EQ(table_of(figures_of({{sample(200, 1, 1), sample(100, 1, 1)}}, "echo")).find("worse"), std::string::npos);
  const std::vector<Round> by_chance = {{sample(50, 1, 1), sample(100, 1, 1)}, {sample(50, 1, 1), sample(100, 1, 1)}, {sample(99, 1, 1), sample(100, 1, 1)}, {sample(98, 1, 1), sample(100, 1, 1)}};
  EXPECT_EQ(table_of(figures_of(by_chance, "echo")).find("worse"), std::string::npos);
}

TEST(Figures, TheChartIsSelfContained) {
  const std::vector<Round> rounds = {{sample(100, 2, 4), sample(200, 1, 2)}};
  const std::string svg = svg_of(figures_of(rounds, "echo"), rounds, "<script>alert(\"1\") & more");
  EXPECT_EQ(svg.rfind("<svg ", 0), 0u);
  EXPECT_EQ(svg.find("<script"), std::string::npos);
  EXPECT_EQ(svg.find("href"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  std::size_t curves = 0;
  for (std::size_t at = 0; (at = svg.find("<polyline", at)) != std::string::npos; ++at) ++curves;
  EXPECT_EQ(curves, 2u);
}

// Checks counts only, because speed is not a subject of tests.
TEST(Versus, TheReferenceIsItsOwnEqual) {
  const std::filesystem::path bin = std::filesystem::read_symlink("/proc/self/exe").parent_path(), server = bin / "lab04_worker_solution_measured";
  if (!std::filesystem::exists(server)) GTEST_SKIP() << "the solutions do not exist";
  const auto run = [&](const std::string& yours) {
    const std::string command = (bin / "lab_versus").string() + " --lab 4 --yours " + yours + " --reference " + server.string() +
                                " --name mine --rounds 2 --seconds 0.2 --svg versus_test.svg >versus_test.txt 2>&1";
    return std::system(command.c_str());
  };
  const auto text_of = [](const char* file) {
    std::ifstream stream(file);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  EXPECT_EQ(run(server.string()), 0) << text_of("versus_test.txt");
  std::istringstream lines(text_of("versus_test.txt"));
  std::size_t seen = 0;
  for (std::string line; std::getline(lines, line);) {
    double yours = 0, reference = 0;
    if (std::sscanf(line.c_str(), "completion calls per echo %lf %lf", &yours, &reference) == 2) {
      ++seen;
      EXPECT_NEAR(yours, 2, 0.5);  // one for the receive, one for the send
      EXPECT_NEAR(reference, 2, 0.5);
    } else if (std::sscanf(line.c_str(), "calls of new per echo %lf %lf", &yours, &reference) == 2) {
      ++seen;
      EXPECT_NEAR(yours, 1, 0.25);  // one for the send
      EXPECT_NEAR(reference, 1, 0.25);
    }
  }
  EXPECT_EQ(seen, 2u) << text_of("versus_test.txt");
  EXPECT_EQ(text_of("versus_test.svg").rfind("<svg ", 0), 0u);

  // The same exit code as `lab` for wrong usage
  EXPECT_EQ(std::system((bin / "lab_versus --wat >versus_test.txt 2>&1").string().c_str()), 2 << 8);
  EXPECT_NE(run("/bin/true"), 0);
  EXPECT_NE(text_of("versus_test.txt").find("not measured: mine: the server does not listen; it has ended"), std::string::npos) << text_of("versus_test.txt");
}

}  // namespace
}  // namespace bench
