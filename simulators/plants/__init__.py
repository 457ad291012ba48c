"""The plant rooms of a site: each module turns demand into what its machines' sensors would show."""
