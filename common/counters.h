/* The counters of a worker: 64-bit, plain stores by their owner, relaxed loads by anybody. Every received frame
 * adds one to exactly one counter of the rx_, answered_ or drop_ groups ("outcomes"); every frame that the worker
 * makes itself to one of tx_. Gauges may go down. */
#ifndef PM_COUNTERS_H
#define PM_COUNTERS_H

/* X(symbol, help) */
#define COUNTERS_OUTCOMES(X)                                                                                           \
	X(rx_forwarded, "received and sent on to the other side")                                                      \
	X(rx_absorbed, "received and taken by a connection that is not spliced yet")                                   \
	X(rx_handed_over, "received and given to the worker that owns the flow")                                       \
	X(answered_syn, "SYN to a VIP, answered with a SYN-ACK that carries a cookie")                                 \
	X(answered_rst, "segment without a connection, answered with RST")                                             \
	X(answered_ack,                                                                                                \
	  "segment that a connection answers with an acknowledgement (RFC 5961, or data it has already)")              \
	X(drop_truncated, "frame shorter than its headers say")                                                        \
	X(drop_not_ip, "not IPv4 over plain Ethernet")                                                                 \
	X(drop_ip_header, "broken IPv4 header")                                                                        \
	X(drop_ip_options, "IPv4 options")                                                                             \
	X(drop_fragment, "IPv4 fragment")                                                                              \
	X(drop_not_unicast, "to a broadcast or multicast MAC")                                                         \
	X(drop_not_tcp, "neither TCP nor an ICMP error about TCP")                                                     \
	X(drop_bad_source, "source address that no host may have")                                                     \
	X(drop_tcp_header, "broken TCP header")                                                                        \
	X(drop_tcp_checksum, "wrong TCP checksum")                                                                     \
	X(rx_partial_checksum, "checksum left to a device by a local peer: ethtool -K <peer> tx off")                  \
	X(rx_oversize, "frame larger than the MTU: ethtool -K <peer> tso off gso off gro off")                         \
	X(drop_not_ours, "neither to a listener nor to the source pool")                                               \
	X(drop_vip_not_held, "to or from a VIP that the kernel does not hold")                                         \
	X(drop_not_ready, "to a VIP before the tables were full")                                                      \
	X(drop_mss_too_small, "SYN with an MSS below 88")                                                              \
	X(drop_cookie_stale, "later segment of a handshake whose first segments were lost")                            \
	X(drop_stray_rst, "RST without a connection")                                                                  \
	X(drop_duplicate_birth, "repeated first segment of a connection that has ended")                               \
	X(drop_rst_out_of_window, "RST outside the window (RFC 5961)")                                                 \
	X(drop_ack_out_of_range, "acknowledges what was never sent")                                                   \
	X(drop_no_ack, "segment without ACK inside a connection")                                                      \
	X(drop_stray_syn, "SYN or SYN-ACK that does not fit the state of its connection")                              \
	X(drop_duplicate, "repeats what a young connection has already")                                               \
	X(drop_beyond_window, "beyond the window that was offered")                                                    \
	X(drop_no_room, "out of order in too many pieces, or no head buffer left")                                     \
	X(drop_after_close, "for a connection that is closed on this side")                                            \
	X(drop_ttl, "TTL exceeded")                                                                                    \
	X(drop_icmp_unmatched, "ICMP error about no connection of ours")                                               \
	X(drop_icmp_not_in_flight, "ICMP error quoting a sequence number not in flight (RFC 5927)")                    \
	X(drop_icmp_soft, "ICMP error that changes nothing in this state")                                             \
	X(drop_no_next_hop, "no route to the other side")                                                              \
	X(drop_handover_full, "ring to the owning worker full")

#define COUNTERS_OTHERS(X)                                                                                             \
	X(tx_syn, "SYN sent to a router host")                                                                         \
	X(tx_ack, "acknowledgement made by the worker")                                                                \
	X(tx_data, "segment of held client bytes sent to a router host")                                               \
	X(tx_answer, "segment of an answer of our own (HTTP status, TLS alert, FIN)")                                  \
	X(tx_rst, "RST made by the worker without a frame that it answers")                                            \
	X(tx_failed, "frame made by the worker and not sent: no buffer or no route")                                   \
	X(tx_ring_full, "frame not taken by the port's transmit ring")                                                 \
	X(connections, "connections born")                                                                             \
	X(connections_elected, "connections for which a router host was elected")                                      \
	X(connections_spliced, "connections spliced")                                                                  \
	X(connections_retried, "connections moved to another router host before the splice")                           \
	X(refused_flows, "connections refused: flow table full")                                                       \
	X(refused_young, "connections refused: too many connections before the splice")                                \
	X(refused_tombstones, "connections refused: more than the configured rate")                                    \
	X(refused_ports, "connections refused: no source port left")                                                   \
	X(refused_heads, "heads cut short: no large buffer left")                                                      \
	X(answer_unknown_name, "404 or unrecognized_name: no route has this name")                                     \
	X(answer_no_name, "404 or unrecognized_name: no name was given")                                               \
	X(answer_not_served, "503 or unrecognized_name: no cluster serves the name on this port")                      \
	X(answer_unhealthy, "503 or internal_error: nothing healthy")                                                  \
	X(answer_connect_failed, "503 or internal_error: every router host refused or was silent")                     \
	X(answer_malformed, "400 or decode_error")                                                                     \
	X(answer_too_large, "400 or decode_error: the head exceeds the limit")                                         \
	X(answer_timeout, "408 or close: the head did not come in time")                                               \
	X(closed_silent, "closed without an answer: not one byte came in time")                                        \
	X(closed_by_client, "ended by the client before the splice")                                                   \
	X(ended_fin, "spliced connections ended by FIN on both sides")                                                 \
	X(ended_rst, "spliced connections ended by RST")                                                               \
	X(ended_idle, "spliced connections ended by the idle limit")                                                   \
	X(ended_closed, "connections ended by the operator")                                                           \
	X(ended_vip_lost, "connections ended because their VIP went away")                                             \
	X(ended_join, "connections reset because joining took too long")                                               \
	X(port_reused_early, "source port used again within 60 s")                                                     \
	X(port_time_wait, "TIME_WAIT of a router host ended by RST")                                                   \
	X(host_suspected, "router hosts put under suspicion")                                                          \
	X(message_applied, "control messages applied")                                                                 \
	X(message_discarded, "control messages discarded: older start, broken, or without a sync")                     \
	X(event_lost, "events to control lost: ring full")                                                             \
	X(record_lost, "records of connections for control lost: ring full")                                           \
	X(ask_lost, "questions to the kernel's neighbour table lost: ring full or rate exceeded")

#define COUNTERS_GAUGES(X)                                                                                             \
	X(flows, "connections in the table, ended ones that still translate included")                                 \
	X(flows_young, "connections before the splice")                                                                \
	X(flows_spliced, "connections spliced")                                                                        \
	X(flows_lingering, "ended connections that still translate")                                                   \
	X(heads_large, "large head buffers in use")                                                                    \
	X(ports_in_use, "source ports in use")                                                                         \
	X(tombstones, "births remembered against duplicates")                                                          \
	X(loops_busy, "worker loops that did work")                                                                    \
	X(busy_ticks, "TSC ticks of these loops")                                                                      \
	X(loop_ticks_max, "longest of these loops since the start, TSC ticks")                                         \
	X(message_ticks_max, "longest time that control messages have held a loop up since the start, TSC ticks")

enum counter {
#define X(symbol, help) counter_##symbol,
	COUNTERS_OUTCOMES(X) counter_outcomes_end,
	counter_others_begin = counter_outcomes_end - 1,
	COUNTERS_OTHERS(X) COUNTERS_GAUGES(X) counter_count
#undef X
};

#endif
