// Wrong: every packet goes through the buffer, also one that lies whole in what came.
#include "reassembly.h"

#include <string.h>

#include <string_view>

#include "world.h"

namespace lab {

/* bytes in, packets out */
ProtocolError Reassembler::feed(std::span<const unsigned char> data, PacketSink& sink)
{
	size_t i;

	for (i = 0; i < data.size(); i++) {
		recv_packet_buf_[size_++] = data[i];
		if (recv_packet_buf_[0] < kHeaderSize)
			return ProtocolError::length_below_header;
		if (recv_packet_buf_[0] > kMaxPacketSize)
			return ProtocolError::length_above_maximum;
		if (size_ == recv_packet_buf_[0]) {
			ProtocolError err = sink.on_packet({recv_packet_buf_, size_});
			size_ = 0;
			if (err != ProtocolError::none)
				return err;
		}
	}
	return ProtocolError::none;
}

ProtocolError process_packet(World& world, const std::shared_ptr<Player>& player,
                             std::span<const unsigned char> packet)
{
	const unsigned char *body = packet.data() + kHeaderSize;
	size_t body_len = packet.size() - kHeaderSize;
	size_t i;

	switch (packet[1]) {
	case CS_LOGIN:
		if (body_len == 0 || body_len > kMaxNameSize)
			return ProtocolError::wrong_size;
		for (i = 0; i < body_len; i++)
			if (body[i] < 0x21 || body[i] > 0x7E)
				return ProtocolError::bad_name;
		return world.login(player, std::string_view((const char *)body, body_len));
	case CS_MOVE:
		if (body_len != 1)
			return ProtocolError::wrong_size;
		if (body[0] > 3)
			return ProtocolError::bad_direction;
		return world.move(*player, (Direction)body[0]);
	}
	return ProtocolError::unknown_type;
}

static unsigned char *put_position(unsigned char *out, const Position *p)
{
	*out++ = (unsigned char)(p->id & 0xFF);
	*out++ = (unsigned char)(p->id >> 8);
	*out++ = p->x;
	*out++ = p->y;
	return out;
}

std::size_t encode_positions(std::span<const Position> positions, unsigned char* out)
{
	unsigned char *const start = out;
	const Position *p = positions.data();
	size_t left = positions.size();
	size_t n;

	for (; left > 0; left -= n) {
		n = left > kMaxPositionsPerPacket ? kMaxPositionsPerPacket : left;
		*out++ = (unsigned char)(kHeaderSize + n * kPositionSize);
		*out++ = n == 1 ? SC_POSITION : SC_POSITIONS;
		for (size_t i = 0; i < n; i++)
			out = put_position(out, p++);
	}
	return (size_t)(out - start);
}

}  // namespace lab
