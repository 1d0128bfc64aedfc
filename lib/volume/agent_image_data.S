/* The two programs as they were built; O2_AGENT and O2_LOADER are their paths. */
	.section .rodata

	.balign 16
	.globl o2_agent_image, o2_agent_image_len
o2_agent_image:
	.incbin O2_AGENT
9:
	.balign 8
o2_agent_image_len:
	.quad 9b - o2_agent_image

	.balign 16
	.globl o2_agent_loader_image, o2_agent_loader_image_len
o2_agent_loader_image:
	.incbin O2_LOADER
9:
	.balign 8
o2_agent_loader_image_len:
	.quad 9b - o2_agent_loader_image

	.section .note.GNU-stack, "", %progbits
