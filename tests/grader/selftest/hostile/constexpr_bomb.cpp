// Makes the compiler compute endless constants in a thousand places, and store the results.
struct Number {
  int value;
  Number* next;
};
template <int n>
constexpr int spin() {
  Number* first = nullptr;
  for (int i = n; i >= 0; ++i) first = new Number{i, first};
  return first->value;
}
template <int n>
constexpr int all = spin<n>() + all<n - 1>;
template <>
constexpr int all<0> = 0;
constexpr int bomb = all<800>;
