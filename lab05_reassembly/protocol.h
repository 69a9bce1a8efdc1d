// Given: the game's protocol, byte by byte. (Notes N20, N22)
//
// Every packet:   length (1 byte, the whole packet: these two bytes included), type (1 byte), body.
// All numbers are unsigned; numbers of two bytes are little-endian: the low byte comes first.
//
//   type              dir   length     body
//   CS_LOGIN      1    ->    3..22     name: 1 to 20 bytes, each a visible ASCII character (0x21 to 0x7E)
//   CS_MOVE       2    ->    3         direction u8: 0 up (y-1), 1 down (y+1), 2 left (x-1), 3 right (x+1)
//   SC_LOGIN_OK 101    <-    6         id u16, x u8, y u8: you are this player, at this position
//   SC_ENTER    102    <-    7..26     id u16, x u8, y u8, name: you see this player from now on
//   SC_POSITION 103    <-    6         id u16, x u8, y u8: this player is now here (also sent for you)
//   SC_POSITIONS 104   <-    2 + 4 k   k times (id u16, x u8, y u8), k is 2 to 62: several positions in one packet
//   SC_LEAVE    105    <-    4         id u16: you do not see this player any more
//
// The world is 256 x 256. A move against its edge leaves the player in place, but is still answered.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lab {

constexpr std::size_t kHeaderSize = 2;
constexpr std::size_t kMaxPacketSize = 250;  // a larger length is a protocol error
constexpr std::size_t kMaxNameSize = 20;

enum PacketType : std::uint8_t {
  CS_LOGIN = 1,
  CS_MOVE = 2,
  SC_LOGIN_OK = 101,
  SC_ENTER = 102,
  SC_POSITION = 103,
  SC_POSITIONS = 104,
  SC_LEAVE = 105,
};

enum class Direction : std::uint8_t { up = 0, down = 1, left = 2, right = 3 };

using PlayerId = std::uint16_t;

// The position of one player. It is sent as 4 bytes: positions are 90% of the traffic, so no byte is wasted (N22).
struct Position {
  PlayerId id;
  std::uint8_t x;
  std::uint8_t y;
};
constexpr std::size_t kPositionSize = 4;                                                    // bytes on the wire
constexpr std::size_t kMaxPositionsPerPacket = (kMaxPacketSize - kHeaderSize) / kPositionSize;  // 62

// Errors in the data that a client sends. Each of these disconnects that client, and no other.
enum class ProtocolError {
  none,
  length_below_header,   // 0 or 1: a packet that ends before its type
  length_above_maximum,  // more than kMaxPacketSize
  unknown_type,
  wrong_size,            // this type of packet has another size
  bad_name,              // a byte outside 0x21 to 0x7E
  bad_direction,         // not 0 to 3
  not_logged_in,         // a move before the login
  already_logged_in,     // a second login
  world_is_full,
};

constexpr const char* describe(ProtocolError error) {
  switch (error) {
    case ProtocolError::none: return "no error";
    case ProtocolError::length_below_header: return "a packet's length is below its header";
    case ProtocolError::length_above_maximum: return "a packet's length is above the maximum";
    case ProtocolError::unknown_type: return "a packet has an unknown type";
    case ProtocolError::wrong_size: return "a packet has the wrong size for its type";
    case ProtocolError::bad_name: return "a name has a character that is not allowed";
    case ProtocolError::bad_direction: return "a direction is not 0 to 3";
    case ProtocolError::not_logged_in: return "a move came before the login";
    case ProtocolError::already_logged_in: return "a second login came";
    case ProtocolError::world_is_full: return "the world is full";
  }
  return "an error without a name";
}

}  // namespace lab
