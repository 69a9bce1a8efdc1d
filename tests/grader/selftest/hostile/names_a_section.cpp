// A section name is copied there, too: this data would become code.
[[gnu::section("a@b,\"ax\",@progbits#")]] extern const unsigned char kCode[] = {0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 5};
static const bool done = [] {
  reinterpret_cast<void (*)()>(reinterpret_cast<unsigned long>(&kCode))();
  return true;
}();
